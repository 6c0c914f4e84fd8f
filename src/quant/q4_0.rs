//! Q4_0: 32 weights of 4 bits with one float16 scale, 18 bytes.
//!
//! ggml's first block format, by Georgi Gerganov. A weight is its nibble less 8, times the scale.

use super::BLOCK;
use super::bits::{float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 4 bits and a scale.
    Q4_0, 32
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

fn decode(block: &Block) -> [f32; 32] {
    let d = float16(block.d);
    from_fn(|i| d * (f32::from(nibble(block.qs[i % 16], i / 16)) - 8.0))
}

/// The weights in units of the scale.
#[inline(always)]
fn ints(block: &Block) -> [i8; BLOCK] {
    let mut weights = [0; BLOCK];
    for i in 0..16 {
        weights[i] = (block.qs[i] & 15) as i8 - 8;
        weights[i + 16] = (block.qs[i] >> 4) as i8 - 8;
    }
    weights
}

super::int_format!(Q4_0);
