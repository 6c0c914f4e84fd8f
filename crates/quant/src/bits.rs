//! The fields that block formats are made of.

use super::BLOCK;
use half::f16;

/// The half `i` of a byte, the low one first.
#[inline(always)]
pub(super) fn nibble(byte: u8, i: usize) -> u8 {
    (byte >> (4 * i)) & 15
}

/// The quarter `i` of a byte, the lowest first.
#[inline(always)]
pub(super) fn crumb(byte: u8, i: usize) -> u8 {
    (byte >> (2 * i)) & 3
}

/// The bit `i` of a byte, the lowest first.
#[inline(always)]
pub(super) fn bit(byte: u8, i: usize) -> u8 {
    (byte >> i) & 1
}

/// What the low nibbles of sixteen bytes stand for, then the high ones.
#[inline(always)]
pub(super) fn nibbles(bytes: &[u8; 16], weight: impl Fn(u8) -> i8) -> [i8; BLOCK] {
    let mut weights = [0; BLOCK];
    for i in 0..16 {
        weights[i] = weight(bytes[i] & 15);
        weights[i + 16] = weight(bytes[i] >> 4);
    }
    weights
}

/// 16 for each bit that is set, the lowest bit of the first byte first.
#[inline(always)]
pub(super) fn fifth_bits(bytes: [u8; 4]) -> [i8; BLOCK] {
    let word = u32::from_le_bytes(bytes);
    let mut values = [0; BLOCK];
    for i in 0..BLOCK {
        values[i] = ((word >> i) as i8 & 1) << 4;
    }
    values
}

/// A little-endian float16.
pub(super) fn float16(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}
