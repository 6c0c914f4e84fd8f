//! IQ2_S: 256 weights of 2.56 bits each, in sixteen groups with a 4-bit scale, 82 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5721): IQ2_XS with a larger [grid](super::grids) and all eight signs stored.

use super::bits::{crumb, nibble};
use super::grids::{self, eights, two_bit};
use super::{BLOCK, HalvesPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: a grid of 1024 entries.
#[derive(Clone, Copy, Debug)]
pub struct IQ2_S;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For every eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// For every eight weights, the signs.
    signs: [u8; 32],
    /// The high 2 bits of the indices, four per byte.
    qh: [u8; 8],
    /// The scales of the groups of 16, two per byte.
    scales: [u8; 8],
}

impl Quantized for IQ2_S {
    const TYPE: TensorType = TensorType::IQ2_S;
    type Block = Block;
    type PanelBlock = HalvesPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        eights(|i| {
            let at = 4 * part + i;
            let index = u16::from_le_bytes([block.qs[at], crumb(block.qh[part], i)]);
            two_bit(grids::IQ2_S[usize::from(index)], block.signs[at])
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
