//! IQ1_S: 256 weights of 1.56 bits each, in eight groups with a 3-bit scale, 50 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5453). Every eight weights are one entry of a [grid](super::grids) of -1, 0 and 1. All
//! weights of a group are shifted by an eighth, up or down.

use super::grids::{self, eights, ternary};
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 2048 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ1_S;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For every eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// A word for each group of 32. From the lowest bit: the high 3 bits of its four indices, the 3 bits of the scale,
    /// and whether the shift is down.
    qh: [[u8; 2]; 8],
}

impl Block {
    #[inline(always)]
    fn word(&self, group: usize) -> u16 {
        u16::from_le_bytes(self.qh[group])
    }
}

impl Quantized for IQ1_S {
    const TYPE: TensorType = TensorType::IQ1_S;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let word = block.word(part);
        eights(|i| {
            let high = (word >> (3 * i)) & 7;
            let index = u16::from(block.qs[4 * part + i]) | (high << 8);
            ternary(grids::IQ1[usize::from(index)], word >> 15 == 1)
        })
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        // The factor is an eighth because the weights are in eighths.
        0.125 * f32::from(2 * ((block.word(group) >> 12) & 7) + 1)
    }
}
