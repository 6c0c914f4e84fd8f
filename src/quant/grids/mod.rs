//! The grids of the IQ formats: the combinations of neighbouring weights that they can express.
//!
//! A combination that ggml's quantiser may use is one `u16` of a table: eight codes of 2 bits or four of 4, the first
//! weight's the lowest. The tables are ggml's, by Iwan Kawrakow, as gguf-py packs them. The weights' signs are kept
//! apart from the grid, except in IQ1.

mod tables;

pub(super) use tables::{IQ1, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};

use super::bits::bit;
use std::array::from_fn;

/// Eight weights of an IQ2 grid. A sign bit makes its weight negative.
pub(super) fn two_bit(scale: f32, entry: u16, signs: u8) -> [f32; 8] {
    // No entry has the fourth code.
    const LEVELS: [f32; 4] = [8.0, 25.0, 43.0, 0.0];
    from_fn(|i| signed(scale * LEVELS[code(entry, 2, i)], bit(signs, i)))
}

/// Eight weights of two entries of an IQ3 grid. A sign bit makes its weight negative.
pub(super) fn three_bit(scale: f32, levels: &[f32; 8], entries: [u16; 2], signs: u8) -> [f32; 8] {
    from_fn(|i| signed(scale * levels[code(entries[i / 4], 4, i % 4)], bit(signs, i)))
}

/// Eight weights of the IQ1 grid, shifted by an eighth of the scale.
pub(super) fn ternary(scale: f32, entry: u16, down: bool) -> [f32; 8] {
    let shift = if down { -0.125 } else { 0.125 };
    from_fn(|i| scale * (code(entry, 2, i) as f32 - 1.0 + shift))
}

/// The eight signs that the lowest 7 bits stand for: an eighth makes the number of negative ones even.
///
/// The quantiser flips a weight where it is odd. ggml has a table of these, `ksigns_iq2xs`.
pub(super) fn seven_signs(word: u32) -> u8 {
    let signs = (word & 127) as u8;
    signs | ((signs.count_ones() as u8 & 1) << 7)
}

/// The code `i` of an entry.
fn code(entry: u16, bits: usize, i: usize) -> usize {
    usize::from(entry >> (bits * i)) & ((1 << bits) - 1)
}

fn signed(weight: f32, sign: u8) -> f32 {
    if sign == 0 { weight } else { -weight }
}
