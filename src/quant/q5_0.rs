//! Q5_0: 32 weights of 5 bits with one float16 scale, 22 bytes.
//!
//! Q4_0 with the fifth bits in a word of their own, by the authors of ggml. A weight is its number less 16, times the
//! scale.

use super::BLOCK;
use super::bits::{bit, float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 5 bits and a scale.
    Q5_0, 32
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// Bit `i % 8` of byte `i / 8` is the highest bit of weight `i`.
    qh: [u8; 4],
    /// The low nibbles are weights 0 to 15, the high ones 16 to 31.
    qs: [u8; 16],
}

fn decode(block: &Block) -> [f32; 32] {
    let d = float16(block.d);
    from_fn(|i| {
        let q = nibble(block.qs[i % 16], i / 16) | (bit(block.qh[i / 8], i % 8) << 4);
        d * (f32::from(q) - 16.0)
    })
}

/// The weights in units of the scale.
#[inline(always)]
fn ints(block: &Block) -> [i8; BLOCK] {
    let high = u32::from_le_bytes(block.qh);
    let mut weights = [0; BLOCK];
    for i in 0..16 {
        let [low_half, high_half] = [high >> i, high >> (i + 16)].map(|bits| (bits as u8 & 1) << 4);
        weights[i] = (block.qs[i] & 15 | low_half) as i8 - 16;
        weights[i + 16] = (block.qs[i] >> 4 | high_half) as i8 - 16;
    }
    weights
}

super::int_format!(Q5_0);
