//! Q4_0: 32 weights of 4 bits with one float16 scale, 18 bytes.
//!
//! ggml's first block format, by Georgi Gerganov. A weight is its nibble minus 8, times the scale.

use super::bits::nibbles;
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 4-bit weights and a scale.
#[derive(Clone, Copy, Debug)]
pub struct Q4_0;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

impl Quantized for Q4_0 {
    const TYPE: TensorType = TensorType::Q4_0;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        nibbles(&block.qs, |q| q as i8 - 8)
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }
}
