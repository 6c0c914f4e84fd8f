//! Q8_0: 32 int8 weights with one float16 scale, 34 bytes.

use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: 8-bit weights and a scale.
#[derive(Clone, Copy, Debug)]
pub struct Q8_0;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16.
    d: [u8; 2],
    /// The weights, to be multiplied by the scale.
    qs: [i8; BLOCK],
}

impl Quantized for Q8_0 {
    const TYPE: TensorType = TensorType::Q8_0;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, _: usize) -> [i8; BLOCK] {
        block.qs
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }
}
