//! Q2_K: 256 weights of 2 bits in sixteen groups, each with a 4-bit scale and a 4-bit minimum, 84 bytes.
//!
//! The k-quants are by Iwan Kawrakow (llama.cpp #1684). They quantise the groups' scales too, in units of float16
//! scales that the whole block shares.

use super::bits::{crumb, nibble};
use super::{BLOCK, HalvesMinPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 2-bit weights, 4-bit scales and minima.
#[derive(Clone, Copy, Debug)]
pub struct Q2_K;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// For each group of 16, the scale in the low nibble and the minimum in the high one.
    scales: [u8; 16],
    /// Every 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last 32.
    qs: [u8; 64],
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The unit of the minima, which are subtracted: float16.
    dmin: [u8; 2],
}

impl Quantized for Q2_K {
    const TYPE: TensorType = TensorType::Q2_K;
    type Block = Block;
    type PanelBlock = HalvesMinPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<BLOCK>().0[part / 4];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            weights[i] = crumb(qs[i], part % 4) as i8;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        nibble(block.scales[group], 0).into()
    }

    #[inline(always)]
    fn dmin(block: &Block) -> [u8; 2] {
        block.dmin
    }

    #[inline(always)]
    fn min(block: &Block, group: usize) -> f32 {
        nibble(block.scales[group], 1).into()
    }
}
