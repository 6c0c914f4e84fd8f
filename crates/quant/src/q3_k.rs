//! Q3_K: 256 weights of 3 bits in sixteen groups, each with a signed 6-bit scale, 110 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684): the low bits lie as in Q2_K, the third bits in a mask.

use super::bits::{bit, crumb, nibble};
use super::{BLOCK, HalvesPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 3-bit weights, 6-bit scales.
#[derive(Clone, Copy, Debug)]
pub struct Q3_K;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Bit `i / 32` of byte `i % 32` is the highest bit of weight `i`.
    hmask: [u8; 32],
    /// Every 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last 32.
    qs: [u8; 64],
    /// The groups' scales: see [`scale`].
    scales: [u8; 12],
    /// The unit of the scales: float16.
    d: [u8; 2],
}

/// The scale of a group.
///
/// The low 4 bits of groups 0 to 7 are the low nibbles of the first eight bytes, those of groups 8 to 15 the high ones.
/// The high 2 bits are in the last four bytes, whose lowest crumbs are those of groups 0 to 3, the highest those of
/// groups 12 to 15.
#[inline(always)]
fn scale(scales: &[u8; 12], group: usize) -> i8 {
    let low = nibble(scales[group % 8], group / 8);
    let high = crumb(scales[8 + group % 4], group / 4);
    (low | (high << 4)) as i8 - 32
}

impl Quantized for Q3_K {
    const TYPE: TensorType = TensorType::Q3_K;
    type Block = Block;
    type PanelBlock = HalvesPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<BLOCK>().0[part / 4];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            let high = bit(block.hmask[i], part);
            weights[i] = (crumb(qs[i], part % 4) | (high << 2)) as i8 - 4;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        scale(&block.scales, group).into()
    }
}
