//! The grids of the IQ formats: the combinations of neighbouring weights that they can represent.
//!
//! Each combination that ggml's quantiser may use is one `u16` of a table: eight codes of 2 bits or four of 4, the
//! first weight's code in the lowest bits. The tables are ggml's, by Iwan Kawrakow, as gguf-py packs them. The signs of
//! the weights are stored apart from the grid, except in IQ1.

mod tables;

pub(super) use tables::{IQ1, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};

use super::BLOCK;
use super::bits::bit;
use monomorph_simd::each;

/// Makes [`BLOCK`] weights, eight at a time.
#[inline(always)]
pub(super) fn eights(of: impl Fn(usize) -> [i8; 8]) -> [i8; BLOCK] {
    let mut weights = [0; BLOCK];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        *to = of(i);
    }
    weights
}

/// Eight weights of an IQ2 grid. A sign bit makes its weight negative.
#[inline(always)]
pub(super) fn two_bit(entry: u16, signs: u8) -> [i8; 8] {
    // No entry contains the fourth code.
    const LEVELS: [i8; 4] = [8, 25, 43, 0];
    eight(|i| signed(LEVELS[code(entry, 2, i)], bit(signs, i)))
}

/// Eight weights of two entries of an IQ3 grid. A sign bit makes its weight negative.
#[inline(always)]
pub(super) fn three_bit(levels: &[i8; 8], entries: [u16; 2], signs: u8) -> [i8; 8] {
    eight(|i| signed(levels[code(entries[i / 4], 4, i % 4) & 7], bit(signs, i)))
}

/// Eight weights of the IQ1 grid, shifted up or down by an eighth, in units of an eighth.
#[inline(always)]
pub(super) fn ternary(entry: u16, down: bool) -> [i8; 8] {
    let shift = if down { -1 } else { 1 };
    eight(|i| 8 * (code(entry, 2, i) as i8 - 1) + shift)
}

/// The eight signs that the lowest 7 bits of a word stand for: the eighth makes the number of negative signs even.
///
/// Where that number is odd, the quantiser flips the sign of a weight. ggml has a table of these, `ksigns_iq2xs`.
#[inline(always)]
pub(super) fn seven_signs(word: u32) -> u8 {
    let signs = (word & 127) as u8;
    signs | ((signs.count_ones() as u8 & 1) << 7)
}

#[inline(always)]
fn eight(of: impl Fn(usize) -> i8) -> [i8; 8] {
    each([0, 1, 2, 3, 4, 5, 6, 7], of)
}

/// Code `i` of an entry.
#[inline(always)]
fn code(entry: u16, bits: usize, i: usize) -> usize {
    usize::from(entry >> (bits * i)) & ((1 << bits) - 1)
}

#[inline(always)]
fn signed(weight: i8, sign: u8) -> i8 {
    if sign == 0 { weight } else { -weight }
}
