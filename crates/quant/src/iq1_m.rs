//! IQ1_M: 256 weights of 1.75 bits each, in sixteen groups with a 3-bit scale, 56 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #6302): IQ1_S with more scales, and with a shift for every eight weights instead of
//! every group.

use super::bits::nibble;
use super::grids::{self, eights, ternary};
use super::{BLOCK, HalvesPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 2048 entries, with more scales than IQ1_S.
#[derive(Clone, Copy, Debug)]
pub struct IQ1_M;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// For every eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// For every eight weights a nibble: the high 3 bits of the index, and whether the shift is down.
    qh: [u8; 16],
    /// In each word, from the lowest bit: the 3-bit scales of four groups of 16, then 4 bits of the unit of the scales,
    /// a float16 of which the first word has the lowest bits.
    scales: [[u8; 2]; 4],
}

impl Quantized for IQ1_M {
    const TYPE: TensorType = TensorType::IQ1_M;
    type Block = Block;
    type PanelBlock = HalvesPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        eights(|i| {
            let at = 4 * part + i;
            let high = nibble(block.qh[at / 2], at % 2);
            let index = u16::from_le_bytes([block.qs[at], high & 7]);
            ternary(grids::IQ1[usize::from(index)], high & 8 != 0)
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        let words = block.scales.map(u16::from_le_bytes);
        words.iter().rev().fold(0, |d, word| (d << 4) | (word >> 12)).to_le_bytes()
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        let word = u16::from_le_bytes(block.scales[group / 4]);
        // The factor is an eighth because the weights are in eighths.
        0.125 * f32::from(2 * ((word >> (3 * (group % 4))) & 7) + 1)
    }
}
