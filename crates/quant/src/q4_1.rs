//! Q4_1: 32 weights of 4 bits with a float16 scale and a float16 minimum, 20 bytes.
//!
//! Q4_0 for weights that are not symmetric around zero, by Georgi Gerganov.

use super::bits::nibbles;
use super::{BLOCK, MinPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 4-bit weights, a scale and a minimum.
#[derive(Clone, Copy, Debug)]
pub struct Q4_1;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The minimum, which is the weight of nibble 0: float16.
    m: [u8; 2],
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

impl Quantized for Q4_1 {
    const TYPE: TensorType = TensorType::Q4_1;
    type Block = Block;
    type PanelBlock = MinPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        nibbles(&block.qs, |q| q as i8)
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn dmin(block: &Block) -> [u8; 2] {
        block.m
    }

    #[inline(always)]
    fn min(_: &Block, _: usize) -> f32 {
        // Here the minimum is added, not subtracted.
        -1.0
    }
}
