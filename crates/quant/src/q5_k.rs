//! Q5_K: 256 weights of 5 bits in eight groups, each with a 6-bit scale and a 6-bit minimum, 176 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684): Q4_K with the fifth bits in a separate field.

use super::bits::{bit, nibble};
use super::q4_k::scale_and_min;
use super::{BLOCK, MinPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 5-bit weights, 6-bit scales and minima.
#[derive(Clone, Copy, Debug)]
pub struct Q5_K;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The unit of the minima, which are subtracted: float16.
    dmin: [u8; 2],
    /// The groups' scales and minima: see [`scale_and_min`].
    scales: [u8; 12],
    /// Bit `i / 32` of byte `i % 32` is the highest bit of weight `i`.
    qh: [u8; 32],
    /// Every 32 bytes hold 64 weights: the low nibbles are the first 32 of them, the high ones the last 32.
    qs: [u8; 128],
}

impl Quantized for Q5_K {
    const TYPE: TensorType = TensorType::Q5_K;
    type Block = Block;
    type PanelBlock = MinPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<BLOCK>().0[part / 2];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            weights[i] = (nibble(qs[i], part % 2) | (bit(block.qh[i], part) << 4)) as i8;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        scale_and_min(&block.scales, group).0.into()
    }

    #[inline(always)]
    fn dmin(block: &Block) -> [u8; 2] {
        block.dmin
    }

    #[inline(always)]
    fn min(block: &Block, group: usize) -> f32 {
        scale_and_min(&block.scales, group).1.into()
    }
}
