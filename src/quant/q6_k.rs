//! Q6_K: 256 weights of 6 bits in sixteen groups, each with an int8 scale, 210 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684). Files of smaller k-quants keep their most sensitive tensors in it.

use super::bits::{crumb, float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 6 bits, scales of 8.
    Q6_K, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Low 4 bits. Each 64 bytes hold 128 weights: the low nibbles are the first 64 of them, the high ones the last.
    ql: [u8; 128],
    /// High 2 bits. Each 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last.
    qh: [u8; 64],
    /// The scales of the groups of 16.
    scales: [i8; 16],
    /// The unit of the scales: float16.
    d: [u8; 2],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    from_fn(|i| {
        let low = nibble(block.ql[64 * (i / 128) + i % 64], i / 64 % 2);
        let high = crumb(block.qh[32 * (i / 128) + i % 32], i / 32 % 4);
        let scale = d * f32::from(block.scales[i / 16]);
        scale * (f32::from(low | (high << 4)) - 32.0)
    })
}
