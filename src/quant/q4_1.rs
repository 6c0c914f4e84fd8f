//! Q4_1: 32 weights of 4 bits with a float16 scale and a float16 minimum, 20 bytes.
//!
//! Q4_0's sibling for weights that are not symmetric, by Georgi Gerganov.

use super::bits::{float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 4 bits, a scale and a minimum.
    Q4_1, 32
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// What nibble 0 stands for: float16.
    m: [u8; 2],
    /// The low nibbles are weights 0 to 15, the high ones 16 to 31.
    qs: [u8; 16],
}

fn decode(block: &Block) -> [f32; 32] {
    let (d, m) = (float16(block.d), float16(block.m));
    from_fn(|i| d * f32::from(nibble(block.qs[i % 16], i / 16)) + m)
}
