//! TQ1_0: 256 weights of -1, 0 or 1, five a byte, with one float16 scale, 54 bytes.
//!
//! By compilade (llama.cpp #8151) for models whose weights are ternary, such as BitNet b1.58.
//!
//! A byte holds its five digits to base 3 as a fraction of 256, rounded up. Multiplying it by 3 moves the point by one
//! digit: what leaves the byte at the top is the digit, what stays is the rest.

use super::bits::float16;
use std::array::from_fn;

super::block_format! {
    /// The format: ternary digits, five a byte.
    TQ1_0, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The first 32 bytes are weights 0 to 159, each byte's digits 32 weights apart; the last 16 are weights 160 to
    /// 239, 16 apart.
    qs: [u8; 48],
    /// Weights 240 to 255, four digits a byte, 4 weights apart.
    qh: [u8; 4],
    /// The scale: float16.
    d: [u8; 2],
}

/// The digit `i` of a byte, the most significant first.
fn digit(byte: u8, i: usize) -> u8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let rest = byte.wrapping_mul(POWERS[i]);
    ((u16::from(rest) * 3) >> 8) as u8
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    from_fn(|i| {
        let q = match i {
            0..160 => digit(block.qs[i % 32], i / 32),
            160..240 => digit(block.qs[32 + i % 16], (i - 160) / 16),
            _ => digit(block.qh[i % 4], (i - 240) / 4),
        };
        d * (f32::from(q) - 1.0)
    })
}
