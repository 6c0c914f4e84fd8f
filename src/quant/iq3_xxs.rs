//! IQ3_XXS: 256 weights of 3.06 bits each, in eight groups with a 4-bit scale, 98 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5196). Four weights at a time are an entry of a [grid](super::grids), eight have their
//! signs together.

use super::bits::float16;
use super::grids::{self, seven_signs, three_bit};

super::block_format! {
    /// The format: a grid of 256 entries.
    IQ3_XXS, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For each four weights, an index into the grid.
    qs: [u8; 64],
    /// A word for each group of 32. From the lowest bit: four times 7 bits of signs, then the 4 bits of the scale.
    signs_and_scales: [[u8; 4]; 8],
}

/// What the grid's codes stand for.
const LEVELS: [f32; 8] = [4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 62.0];

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let word = u32::from_le_bytes(block.signs_and_scales[i / 4]);
        let scale = d * (0.5 + (word >> 28) as f32) * 0.5;
        let entries = [2 * i, 2 * i + 1].map(|at| grids::IQ3_XXS[usize::from(block.qs[at])]);
        *to = three_bit(scale, &LEVELS, entries, seven_signs(word >> (7 * (i % 4))));
    }
    weights
}
