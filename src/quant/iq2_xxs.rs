//! IQ2_XXS: 256 weights of 2.06 bits each, in eight groups with a 4-bit scale, 66 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #4773). Eight weights at a time are an entry of a [grid](super::grids) and eight signs.

use super::bits::float16;
use super::grids::{self, seven_signs, two_bit};

super::block_format! {
    /// The format: a grid of 256 entries.
    IQ2_XXS, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The groups of 32.
    groups: [Group; 8],
}

/// Four grid entries, their signs and their scale.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
struct Group {
    /// Indices into the grid.
    grid: [u8; 4],
    /// From the lowest bit: four times 7 bits of signs, then the 4 bits of the scale.
    signs_and_scale: [u8; 4],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let group = &block.groups[i / 4];
        let word = u32::from_le_bytes(group.signs_and_scale);
        let scale = d * (0.5 + (word >> 28) as f32) * 0.25;
        let entry = grids::IQ2_XXS[usize::from(group.grid[i % 4])];
        *to = two_bit(scale, entry, seven_signs(word >> (7 * (i % 4))));
    }
    weights
}
