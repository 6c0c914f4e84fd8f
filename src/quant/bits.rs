//! The fields that block formats are made of.

use half::f16;

/// The half `i` of a byte, the low one first.
pub(super) fn nibble(byte: u8, i: usize) -> u8 {
    (byte >> (4 * i)) & 15
}

/// The quarter `i` of a byte, the lowest first.
pub(super) fn crumb(byte: u8, i: usize) -> u8 {
    (byte >> (2 * i)) & 3
}

/// The bit `i` of a byte, the lowest first.
pub(super) fn bit(byte: u8, i: usize) -> u8 {
    (byte >> i) & 1
}

/// A little-endian float16.
pub(super) fn float16(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}
