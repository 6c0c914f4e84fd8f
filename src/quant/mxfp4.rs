//! MXFP4: 32 weights as 4-bit floats (E2M1) with one power of two as scale (E8M0), 17 bytes.
//!
//! From the Open Compute Project's Microscaling Formats specification, v1.0; in GGUF since gpt-oss (llama.cpp #15091),
//! which was published in it. The specification orders neither bytes nor nibbles: the order here is ggml's.

use super::bits::nibble;
use std::array::from_fn;

super::block_format! {
    /// The format: 4-bit floats and a power of two.
    MXFP4, 32
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale's exponent, 127 above its value.
    e: u8,
    /// The low nibbles are weights 0 to 15, the high ones 16 to 31.
    qs: [u8; 16],
}

/// Twice what a nibble stands for, so that they are whole numbers. The negative zero loses its sign, as in ggml.
#[rustfmt::skip]
const LEVELS: [f32; 16] = [
    0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0,
    0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0,
];

/// `2^(e - 128)`: half of the scale, for levels that are doubled. The two lowest are subnormal.
///
/// The specification's not-a-number, 255, is a large finite scale here, as in ggml.
fn half_scale(e: u8) -> f32 {
    match e {
        0 | 1 => f32::from_bits(0x0020_0000 << e),
        _ => f32::from_bits((u32::from(e) - 1) << 23),
    }
}

fn decode(block: &Block) -> [f32; 32] {
    let d = half_scale(block.e);
    from_fn(|i| d * LEVELS[usize::from(nibble(block.qs[i % 16], i / 16))])
}
