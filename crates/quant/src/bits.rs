//! The bit fields that block formats consist of.

use super::BLOCK;
use half::f16;

/// Half `i` of a byte, counted from the low one.
#[inline(always)]
pub(super) fn nibble(byte: u8, i: usize) -> u8 {
    (byte >> (4 * i)) & 15
}

/// Quarter `i` of a byte, counted from the lowest.
#[inline(always)]
pub(super) fn crumb(byte: u8, i: usize) -> u8 {
    (byte >> (2 * i)) & 3
}

/// Bit `i` of a byte, counted from the lowest.
#[inline(always)]
pub(super) fn bit(byte: u8, i: usize) -> u8 {
    (byte >> i) & 1
}

/// The weights that the low nibbles of sixteen bytes stand for, then those of the high nibbles.
#[inline(always)]
pub(super) fn nibbles(bytes: &[u8; 16], weight: impl Fn(u8) -> i8) -> [i8; BLOCK] {
    let mut weights = [0; BLOCK];
    for i in 0..16 {
        weights[i] = weight(bytes[i] & 15);
        weights[i + 16] = weight(bytes[i] >> 4);
    }
    weights
}

/// 16 for each bit that is set and 0 for the others, starting with the lowest bit of the first byte.
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
