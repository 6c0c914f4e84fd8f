//! IQ4_XS: 256 weights of 4 bits on IQ4_NL's levels in eight groups, each with a signed 6-bit scale, 136 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5747): IQ4_NL in larger blocks, so that the scales take less room.

use super::bits::{crumb, nibble, nibbles};
use super::iq4_nl::LEVELS;
use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: non-linear 4-bit weights, 6-bit scales.
#[derive(Clone, Copy, Debug)]
pub struct IQ4_XS;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// The high 2 bits of the groups' scales; the first group's are the lowest bits of the word.
    scales_h: [u8; 2],
    /// The low 4 bits of the groups' scales, two groups per byte.
    scales_l: [u8; 4],
    /// Every 16 bytes hold a group of 32: the low nibbles are its first 16 weights, the high ones its last 16.
    qs: [u8; 128],
}

impl Quantized for IQ4_XS {
    const TYPE: TensorType = TensorType::IQ4_XS;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let qs = &block.qs.as_chunks::<16>().0[part];
        nibbles(qs, |q| LEVELS[usize::from(q)])
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }

    #[inline(always)]
    fn scale(block: &Block, group: usize) -> f32 {
        let low = nibble(block.scales_l[group / 2], group % 2);
        let high = crumb(block.scales_h[group / 4], group % 4);
        f32::from(low | (high << 4)) - 32.0
    }
}
