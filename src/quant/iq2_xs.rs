//! IQ2_XS: 256 weights of 2.31 bits each, in sixteen groups with a 4-bit scale, 74 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #4856): IQ2_XXS with a larger [grid](super::grids) and more scales.

use super::bits::{float16, nibble};
use super::grids::{self, seven_signs, two_bit};

super::block_format! {
    /// The format: a grid of 512 entries.
    IQ2_XS, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// A word for each eight weights: 9 bits of index into the grid, then 7 bits of signs.
    qs: [[u8; 2]; 32],
    /// The scales of the groups of 16, two a byte.
    scales: [u8; 8],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let q = u16::from_le_bytes(block.qs[i]);
        let scale = d * (0.5 + f32::from(nibble(block.scales[i / 4], i / 2 % 2))) * 0.25;
        *to = two_bit(scale, grids::IQ2_XS[usize::from(q & 511)], seven_signs(u32::from(q >> 9)));
    }
    weights
}
