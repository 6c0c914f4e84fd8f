//! TQ2_0: 256 weights of -1, 0 or 1 in 2 bits each, with one float16 scale, 66 bytes.
//!
//! By compilade (llama.cpp #8151): larger than TQ1_0 but faster to read. The encoding has a fourth value, 2, that no
//! quantiser writes.

use super::bits::crumb;
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: ternary digits, four per byte.
#[derive(Clone, Copy, Debug)]
pub struct TQ2_0;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Every 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last 32.
    qs: [u8; 64],
    /// The scale: float16.
    d: [u8; 2],
}

impl Quantized for TQ2_0 {
    const TYPE: TensorType = TensorType::TQ2_0;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<BLOCK>().0[part / 4];
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            weights[i] = crumb(qs[i], part % 4) as i8 - 1;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }
}
