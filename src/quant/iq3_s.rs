//! IQ3_S: 256 weights of 3.44 bits each, in eight groups with a 4-bit scale, 110 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5676): IQ3_XXS with a larger [grid](super::grids) and all eight signs written out.

use super::bits::{bit, float16, nibble};
use super::grids::{self, three_bit};

super::block_format! {
    /// The format: a grid of 512 entries.
    IQ3_S, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For each four weights, the low 8 bits of the index into the grid.
    qs: [u8; 64],
    /// The highest bits of the indices, eight a byte.
    qh: [u8; 8],
    /// For each eight weights, the signs.
    signs: [u8; 32],
    /// The scales of the groups of 32, two a byte.
    scales: [u8; 4],
}

/// What the grid's codes stand for.
const LEVELS: [f32; 8] = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0];

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let scale = d * f32::from(1 + 2 * nibble(block.scales[i / 8], i / 4 % 2));
        let entries = [2 * i, 2 * i + 1].map(|at| {
            let index = u16::from_le_bytes([block.qs[at], bit(block.qh[at / 8], at % 8)]);
            grids::IQ3_S[usize::from(index)]
        });
        *to = three_bit(scale, &LEVELS, entries, block.signs[i]);
    }
    weights
}
