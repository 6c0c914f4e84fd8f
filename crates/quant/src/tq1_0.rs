//! TQ1_0: 256 weights of -1, 0 or 1, five per byte, with one float16 scale, 54 bytes.
//!
//! By compilade (llama.cpp #8151) for models whose weights are ternary, such as BitNet b1.58.
//!
//! A byte holds five base-3 digits as a fraction of 256, rounded up. Multiplying it by 3 moves the next digit out of
//! the top of the byte; what stays in the byte are the remaining digits.

use super::{BLOCK, IntPanelBlock, Quantized};
use monomorph_gguf::TensorType;

/// The format: ternary digits, five per byte.
#[derive(Clone, Copy, Debug)]
pub struct TQ1_0;

/// A block as the file stores it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The first 32 bytes are weights 0 to 159, with the digits of a byte 32 weights apart; the last 16 bytes are
    /// weights 160 to 239, 16 apart.
    qs: [u8; 48],
    /// Weights 240 to 255, four digits per byte, 4 weights apart.
    qh: [u8; 4],
    /// The scale: float16.
    d: [u8; 2],
}

/// Digit `i` of a byte, counted from the most significant.
#[inline(always)]
fn digit(byte: u8, i: usize) -> u8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let rest = byte.wrapping_mul(POWERS[i]);
    ((u16::from(rest) * 3) >> 8) as u8
}

impl Quantized for TQ1_0 {
    const TYPE: TensorType = TensorType::TQ1_0;
    type Block = Block;
    type PanelBlock = IntPanelBlock;

    #[inline(always)]
    fn ints(block: &Block, part: usize) -> [i8; BLOCK] {
        let mut weights = [0; BLOCK];
        for i in 0..BLOCK {
            let digit = match BLOCK * part + i {
                0..160 => digit(block.qs[i], part),
                at @ 160..240 => digit(block.qs[32 + at % 16], (at - 160) / 16),
                at => digit(block.qh[at % 4], (at - 240) / 4),
            };
            weights[i] = digit as i8 - 1;
        }
        weights
    }

    #[inline(always)]
    fn d(block: &Block) -> [u8; 2] {
        block.d
    }
}
