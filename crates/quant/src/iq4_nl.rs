//! IQ4_NL: 32 weights of 4 bits on unevenly spaced levels, with one float16 scale, 18 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5590): a nibble chooses one of sixteen levels, which are closer together around zero,
//! where most weights are.

use super::bits::nibbles;
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: non-linear 4-bit weights and a scale.
#[derive(Clone, Copy, Debug)]
pub struct IQ4_NL;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The low nibbles are weights 0 to 15, the high nibbles 16 to 31.
    qs: [u8; 16],
}

/// The weight that each nibble stands for, in units of the scale: ggml's `kvalues_iq4nl`.
#[rustfmt::skip]
pub(super) const LEVELS: [i8; 16] = [
    -127, -104, -83, -65, -49, -35, -22, -10,
    1, 13, 25, 38, 53, 69, 89, 113,
];

impl Quantized for IQ4_NL {
    const TYPE: TensorType = TensorType::IQ4_NL;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        nibbles(&block.qs, |q| LEVELS[usize::from(q)])
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }
}
