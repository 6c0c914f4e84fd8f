//! Q4_K: 256 weights of 4 bits in eight groups, each with a 6-bit scale and a 6-bit minimum, 144 bytes.
//!
//! A k-quant by Iwan Kawrakow (llama.cpp #1684), and what files called `Q4_K_M` and `Q4_K_S` mostly consist of.

use super::bits::nibble;
use super::{BLOCK, MinPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 4-bit weights, 6-bit scales and minima.
#[derive(Clone, Copy, Debug)]
pub struct Q4_K;

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
    /// Every 32 bytes hold 64 weights: the low nibbles are the first 32 of them, the high ones the last 32.
    qs: [u8; 128],
}

/// The scale and the minimum of a group of 32 weights.
///
/// The first four bytes have the 6-bit scales of groups 0 to 3, the next four their 6-bit minima. The last four have
/// the low 4 bits of both for groups 4 to 7, whose high 2 bits are the remaining bits of the first eight bytes.
#[inline(always)]
pub(super) fn scale_and_min(scales: &[u8; 12], group: usize) -> (u8, u8) {
    let (scale, min) = (scales[group % 4], scales[4 + group % 4]);
    if group < 4 {
        return (scale & 63, min & 63);
    }
    let low = scales[4 + group];
    ((low & 15) | ((scale >> 6) << 4), (low >> 4) | ((min >> 6) << 4))
}

impl Quantized for Q4_K {
    const TYPE: TensorType = TensorType::Q4_K;
    type Block = Block;
    type PanelBlock = MinPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<BLOCK>().0[part / 2];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            weights[i] = nibble(qs[i], part % 2) as i8;
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
