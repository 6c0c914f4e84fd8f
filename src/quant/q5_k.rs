//! Q5_K: 256 weights of 5 bits in eight groups, each with a 6-bit scale and a 6-bit minimum, 176 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684): Q4_K with the fifth bits in a field of their own.

use super::bits::{bit, float16, nibble};
use super::q4_k::scale_and_min;
use std::array::from_fn;

super::block_format! {
    /// The format: 5 bits, scales and minima of 6.
    Q5_K, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The unit of the minima, which are subtracted: float16.
    dmin: [u8; 2],
    /// The groups' scales and minima: see [`scale_and_min`].
    scales: [u8; 12],
    /// Bit `i / 32` of byte `i % 32` is the highest bit of weight `i`.
    qh: [u8; 32],
    /// Each 32 bytes hold 64 weights: the low nibbles are the first 32 of them, the high ones the last.
    qs: [u8; 128],
}

fn decode(block: &Block) -> [f32; 256] {
    let (d, dmin) = (float16(block.d), float16(block.dmin));
    from_fn(|i| {
        let (scale, min) = scale_and_min(&block.scales, i / 32);
        let low = nibble(block.qs[32 * (i / 64) + i % 32], i / 32 % 2);
        let q = low | (bit(block.qh[i % 32], i / 32) << 4);
        (d * f32::from(scale)) * f32::from(q) - dmin * f32::from(min)
    })
}
