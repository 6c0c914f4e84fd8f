//! Q2_K: 256 weights of 2 bits in sixteen groups, each with a 4-bit scale and a 4-bit minimum, 84 bytes.
//!
//! The k-quants are by Iwan Kawrakow (llama.cpp #1684). They quantise the groups' scales too, in units of float16
//! scales that the whole block shares.

use super::bits::{crumb, float16};
use std::array::from_fn;

super::block_format! {
    /// The format: 2 bits, scales and minima of 4.
    Q2_K, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Of each group of 16, the scale in the low nibble and the minimum in the high one.
    scales: [u8; 16],
    /// Each 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last.
    qs: [u8; 64],
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The unit of the minima, which are subtracted: float16.
    dmin: [u8; 2],
}

fn decode(block: &Block) -> [f32; 256] {
    let (d, dmin) = (float16(block.d), float16(block.dmin));
    from_fn(|i| {
        let scale = d * f32::from(block.scales[i / 16] & 15);
        let min = dmin * f32::from(block.scales[i / 16] >> 4);
        let q = crumb(block.qs[32 * (i / 128) + i % 32], i / 32 % 4);
        scale * f32::from(q) - min
    })
}
