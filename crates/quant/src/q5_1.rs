//! Q5_1: 32 weights of 5 bits with a float16 scale and a float16 minimum, 24 bytes.
//!
//! Q4_1 with the fifth bits in a separate word, by the authors of ggml.

use super::bits::{fifth_bits, nibbles};
use super::{BLOCK, MinPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 5-bit weights, a scale and a minimum.
#[derive(Clone, Copy, Debug)]
pub struct Q5_1;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The minimum, which is the weight of number 0: float16.
    m: [u8; 2],
    /// Bit `i % 8` of byte `i / 8` is the highest bit of weight `i`.
    qh: [u8; 4],
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

impl Quantized for Q5_1 {
    const TYPE: TensorType = TensorType::Q5_1;
    type Block = Block;
    type PanelBlock = MinPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        let mut weights = nibbles(&block.qs, |q| q as i8);
        let high = fifth_bits(block.qh);
        for i in 0..BLOCK {
            weights[i] += high[i];
        }
        weights
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
