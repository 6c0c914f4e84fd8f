//! MXFP4: 32 weights as 4-bit floats (E2M1) with one power of two as scale (E8M0), 17 bytes.
//!
//! Defined by the Open Compute Project's Microscaling Formats specification, v1.0; in GGUF since gpt-oss (llama.cpp
//! #15091), which was published in this format. The specification leaves the order of bytes and nibbles open: the order
//! here is ggml's.

use super::bits::nibbles;
use super::{BLOCK, IntPanelBlock, Quantized};
use half::f16;
use monomorph_gguf::TensorType;

/// The format: 4-bit floats and a power of two.
#[derive(Clone, Copy, Debug)]
pub struct MXFP4;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale's exponent, with a bias of 127.
    e: u8,
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

/// Twice the weight that each nibble stands for, so that all levels are integers. The negative zero loses its sign, as
/// in ggml.
#[rustfmt::skip]
const LEVELS: [i8; 16] = [
    0, 1, 2, 3, 4, 6, 8, 12,
    0, -1, -2, -3, -4, -6, -8, -12,
];

/// `2^(e - 128)`: half of the scale, because the levels are doubled. The two smallest are subnormal.
///
/// An exponent of 255, which is NaN in the specification, gives a large finite scale here, as in ggml.
#[inline(always)]
fn half_scale(e: u8) -> f32 {
    match e {
        0 | 1 => f32::from_bits(0x0020_0000 << e),
        _ => f32::from_bits((u32::from(e) - 1) << 23),
    }
}

impl Quantized for MXFP4 {
    const TYPE: TensorType = TensorType::MXFP4;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        nibbles(&block.qs, |q| LEVELS[usize::from(q)])
    }

    #[inline(always)]
    fn d(_: &Block) -> [u8; 2] {
        f16::ONE.to_le_bytes()
    }

    #[inline(always)]
    fn scale(block: &Block, _: usize) -> f32 {
        half_scale(block.e)
    }
}
