//! TQ2_0: 256 weights of -1, 0 or 1 in 2 bits each, with one float16 scale, 66 bytes.
//!
//! By compilade (llama.cpp #8151): TQ1_0's sibling, larger and faster to read. A fourth value, 2, can be written but no
//! quantiser does.

use super::bits::crumb;
use super::{BLOCK, IntPanel, Quantized};
use monomorph_gguf::TensorType;

/// The format: ternary digits, four a byte.
#[derive(Clone, Copy, Debug)]
pub struct TQ2_0;

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// Each 32 bytes hold 128 weights: the lowest crumbs are the first 32 of them, the highest the last.
    qs: [u8; 64],
    /// The scale: float16.
    d: [u8; 2],
}

impl Quantized for TQ2_0 {
    const TYPE: TensorType = TensorType::TQ2_0;
    type Block = Block;
    type Panel = IntPanel;

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
