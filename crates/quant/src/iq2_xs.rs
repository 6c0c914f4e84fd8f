//! IQ2_XS: 256 weights of 2.31 bits each, in sixteen groups with a 4-bit scale, 74 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #4856): IQ2_XXS with a larger [grid](super::grids) and more scales.

use super::bits::nibble;
use super::grids::{self, eights, seven_signs, two_bit};
use super::{BLOCK, HalvesPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 512 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ2_XS;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// A word for every eight weights: 9 bits of index into the grid, then 7 bits of signs.
    qs: [[u8; 2]; 32],
    /// The scales of the groups of 16, two per byte.
    scales: [u8; 8],
}

impl Quantized for IQ2_XS {
    const TYPE: TensorType = TensorType::IQ2_XS;
    type Block = Block;
    type PanelBlock = HalvesPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        eights(|i| {
            let q = u16::from_le_bytes(block.qs[4 * part + i]);
            two_bit(grids::IQ2_XS[usize::from(q & 511)], seven_signs(u32::from(q >> 9)))
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        (0.5 + f32::from(nibble(block.scales[group / 2], group % 2))) * 0.25
    }
}
