//! IQ2_S: 256 weights of 2.56 bits each, in sixteen groups with a 4-bit scale, 82 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5721): IQ2_XS with a larger [grid](super::grids) and all eight signs written out.

use super::bits::{crumb, float16, nibble};
use super::grids::{self, two_bit};

super::block_format! {
    /// The format: a grid of 1024 entries.
    IQ2_S, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For each eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// For each eight weights, the signs.
    signs: [u8; 32],
    /// The high 2 bits of the indices, four a byte.
    qh: [u8; 8],
    /// The scales of the groups of 16, two a byte.
    scales: [u8; 8],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let scale = d * (0.5 + f32::from(nibble(block.scales[i / 4], i / 2 % 2))) * 0.25;
        let index = u16::from_le_bytes([block.qs[i], crumb(block.qh[i / 4], i % 4)]);
        *to = two_bit(scale, grids::IQ2_S[usize::from(index)], block.signs[i]);
    }
    weights
}
