//! Q4_K: 256 weights of 4 bits in eight groups, each with a 6-bit scale and a 6-bit minimum, 144 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684), and what files called `Q4_K_M` and `Q4_K_S` mostly consist of.

use super::bits::{float16, nibble};
use std::array::from_fn;

super::block_format! {
    /// The format: 4 bits, scales and minima of 6.
    Q4_K, 256
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
    /// Each 32 bytes hold 64 weights: the low nibbles are the first 32 of them, the high ones the last.
    qs: [u8; 128],
}

/// The scale and the minimum of a group of 32 weights.
///
/// Four bytes of scales, four of minima, 6 bits each for groups 0 to 3; then four bytes with the low 4 bits of both for
/// groups 4 to 7, whose high 2 bits are the rest of the first eight bytes.
pub(super) fn scale_and_min(scales: &[u8; 12], group: usize) -> (u8, u8) {
    let (scale, min) = (scales[group % 4], scales[4 + group % 4]);
    if group < 4 {
        return (scale & 63, min & 63);
    }
    let low = scales[4 + group];
    ((low & 15) | ((scale >> 6) << 4), (low >> 4) | ((min >> 6) << 4))
}

fn decode(block: &Block) -> [f32; 256] {
    let (d, dmin) = (float16(block.d), float16(block.dmin));
    from_fn(|i| {
        let (scale, min) = scale_and_min(&block.scales, i / 32);
        let q = nibble(block.qs[32 * (i / 64) + i % 32], i / 32 % 2);
        (d * f32::from(scale)) * f32::from(q) - dmin * f32::from(min)
    })
}
