//! Q5_0: 32 weights of 5 bits with one float16 scale, 22 bytes.
//!
//! Q4_0 with the fifth bits in a separate word, by the authors of ggml. A weight is its number minus 16, times the
//! scale.

use super::bits::{fifth_bits, nibbles};
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 5-bit weights and a scale.
#[derive(Clone, Copy, Debug)]
pub struct Q5_0;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// Bit `i % 8` of byte `i / 8` is the highest bit of weight `i`.
    qh: [u8; 4],
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

impl Quantized for Q5_0 {
    const TYPE: TensorType = TensorType::Q5_0;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        let mut weights = nibbles(&block.qs, |q| q as i8 - 16);
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
}
