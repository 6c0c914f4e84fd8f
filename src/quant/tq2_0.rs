//! TQ2_0: 256 weights of -1, 0 or 1 in 2 bits each, with one float16 scale, 66 bytes.
//!
//! By compilade (llama.cpp #8151): TQ1_0's sibling, larger and faster to read. A fourth value, 2, can be written but no
//! quantiser does.

use super::bits::{crumb, float16};
use std::array::from_fn;

super::block_format! {
    /// The format: ternary digits, four a byte.
    TQ2_0, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Each 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last.
    qs: [u8; 64],
    /// The scale: float16.
    d: [u8; 2],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    from_fn(|i| {
        let q = crumb(block.qs[32 * (i / 128) + i % 32], i / 32 % 4);
        d * (f32::from(q) - 1.0)
    })
}
