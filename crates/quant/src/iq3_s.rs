//! IQ3_S: 256 weights of 3.44 bits each, in eight groups with a 4-bit scale, 110 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5676): IQ3_XXS with a larger [grid](super::grids) and all eight signs stored.

use super::bits::{bit, nibble};
use super::grids::{self, eights, three_bit};
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 512 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ3_S;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For every four weights, the low 8 bits of the index into the grid.
    qs: [u8; 64],
    /// The highest bits of the indices, eight per byte.
    qh: [u8; 8],
    /// For every eight weights, the signs.
    signs: [u8; 32],
    /// The scales of the groups of 32, two per byte.
    scales: [u8; 4],
}

/// The weights that the grid's codes stand for.
const LEVELS: [i8; 8] = [1, 3, 5, 7, 9, 11, 13, 15];

impl Quantized for IQ3_S {
    const TYPE: TensorType = TensorType::IQ3_S;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        eights(|i| {
            let at = 8 * part + 2 * i;
            let entries = [at, at + 1].map(|at| {
                let index = u16::from_le_bytes([block.qs[at], bit(block.qh[at / 8], at % 8)]);
                grids::IQ3_S[usize::from(index)]
            });
            three_bit(&LEVELS, entries, block.signs[4 * part + i])
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        f32::from(1 + 2 * nibble(block.scales[group / 2], group % 2))
    }
}
