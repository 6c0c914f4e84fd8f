//! Q5_1: 32 weights of 5 bits with a float16 scale and a float16 minimum, 24 bytes.
//!
//! Q4_1 with the fifth bits in a word of their own, by the authors of ggml.

use super::bits::{bit, float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 5 bits, a scale and a minimum.
    Q5_1, 32
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// What number 0 stands for: float16.
    m: [u8; 2],
    /// Bit `i % 8` of byte `i / 8` is the highest bit of weight `i`.
    qh: [u8; 4],
    /// The low nibbles are weights 0 to 15, the high ones 16 to 31.
    qs: [u8; 16],
}

fn decode(block: &Block) -> [f32; 32] {
    let (d, m) = (float16(block.d), float16(block.m));
    from_fn(|i| {
        let q = nibble(block.qs[i % 16], i / 16) | (bit(block.qh[i / 8], i % 8) << 4);
        d * f32::from(q) + m
    })
}
