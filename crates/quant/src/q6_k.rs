//! Q6_K: 256 weights of 6 bits in sixteen groups, each with an int8 scale, 210 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684). Files of smaller k-quants keep their most sensitive tensors in it.

use super::bits::{crumb, nibble};
use super::{BLOCK, HalvesPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 6-bit weights, 8-bit scales.
#[derive(Clone, Copy, Debug)]
pub struct Q6_K;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The low 4 bits. Every 64 bytes hold 128 weights: the low nibbles are the first 64 of them, the high ones the
    /// last 64.
    ql: [u8; 128],
    /// The high 2 bits. Every 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the
    /// last 32.
    qh: [u8; 64],
    /// The scales of the groups of 16.
    scales: [i8; 16],
    /// The unit of the scales: float16.
    d: [u8; 2],
}

impl Quantized for Q6_K {
    const TYPE: TensorType = TensorType::Q6_K;
    type Block = Block;
    type PanelBlock = HalvesPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let ql = &block.ql.as_chunks::<BLOCK>().0[part / 4 * 2 + part % 2];
        let qh = &block.qh.as_chunks::<BLOCK>().0[part / 4];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            let high = crumb(qh[i], part % 4);
            weights[i] = (nibble(ql[i], part / 2 % 2) | (high << 4)) as i8 - 32;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        block.scales[group].into()
    }
}
