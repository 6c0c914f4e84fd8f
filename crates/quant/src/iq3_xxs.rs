//! IQ3_XXS: 256 weights of 3.06 bits each, in eight groups with a 4-bit scale, 98 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5196). Every four weights are one entry of a [grid](super::grids); the signs of every
//! eight are stored together.

use super::grids::{self, eights, seven_signs, three_bit};
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 256 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ3_XXS;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For every four weights, an index into the grid.
    qs: [u8; 64],
    /// A word for each group of 32. From the lowest bit: four times 7 bits of signs, then the 4 bits of the scale.
    signs_and_scales: [[u8; 4]; 8],
}

/// The weights that the grid's codes stand for.
const LEVELS: [i8; 8] = [4, 12, 20, 28, 36, 44, 52, 62];

impl Block {
    #[inline(always)]
    fn word(&self, group: usize) -> u32 {
        u32::from_le_bytes(self.signs_and_scales[group])
    }
}

impl Quantized for IQ3_XXS {
    const TYPE: TensorType = TensorType::IQ3_XXS;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let word = block.word(part);
        eights(|i| {
            let at = 8 * part + 2 * i;
            let entries = [at, at + 1].map(|at| grids::IQ3_XXS[usize::from(block.qs[at])]);
            three_bit(&LEVELS, entries, seven_signs(word >> (7 * i)))
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        (0.5 + (block.word(group) >> 28) as f32) * 0.5
    }
}
