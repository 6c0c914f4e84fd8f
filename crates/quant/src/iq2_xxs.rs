//! IQ2_XXS: 256 weights of 2.06 bits each, in eight groups with a 4-bit scale, 66 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #4773). Every eight weights are one entry of a [grid](super::grids) and eight signs.

use super::grids::{self, eights, seven_signs, two_bit};
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 256 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ2_XXS;

/// A block as the file stores it.
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

impl Group {
    #[inline(always)]
    fn word(&self) -> u32 {
        u32::from_le_bytes(self.signs_and_scale)
    }
}

impl Quantized for IQ2_XXS {
    const TYPE: TensorType = TensorType::IQ2_XXS;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let group = &block.groups[part];
        let word = group.word();
        eights(|i| {
            two_bit(grids::IQ2_XXS[usize::from(group.grid[i])], seven_signs(word >> (7 * i)))
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        (0.5 + (block.groups[group].word() >> 28) as f32) * 0.25
    }
}
