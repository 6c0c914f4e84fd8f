//! IQ4_NL: 32 weights of 4 bits on an uneven scale, with one float16 scale, 18 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5590): a nibble chooses one of sixteen levels, which lie closer around zero, where most
//! weights are.

use super::BLOCK;
use super::bits::{float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 4 bits, non-linear, and a scale.
    IQ4_NL, 32
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The low nibbles are weights 0 to 15, the high ones 16 to 31.
    qs: [u8; 16],
}

/// What a nibble stands for, in units of the scale: ggml's `kvalues_iq4nl`.
#[rustfmt::skip]
pub(super) const LEVELS: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0,
    1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0,
];

fn decode(block: &Block) -> [f32; 32] {
    let d = float16(block.d);
    from_fn(|i| d * LEVELS[usize::from(nibble(block.qs[i % 16], i / 16))])
}

/// The weights in units of the scale.
#[inline(always)]
fn ints(block: &Block) -> [i8; BLOCK] {
    let mut weights = [0; BLOCK];
    for i in 0..16 {
        weights[i] = LEVELS[usize::from(block.qs[i] & 15)] as i8;
        weights[i + 16] = LEVELS[usize::from(block.qs[i] >> 4)] as i8;
    }
    weights
}

super::int_format!(IQ4_NL);
