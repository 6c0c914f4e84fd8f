//! Transposing, and the orders of weights in a panel, all made of `zip`.

use crate::{LANES, PANEL, Unit, place};
use core::arch::aarch64::*;
use std::array::from_fn;

/// Interleaves the elements of two rows, of two, four or eight bytes.
macro_rules! zip {
    ($name:ident, $to:ident, $from:ident, $low:ident, $high:ident) => {
        #[inline]
        #[target_feature(enable = "neon")]
        pub(super) fn $name(a: int8x16_t, b: int8x16_t) -> [int8x16_t; 2] {
            let (a, b) = ($to(a), $to(b));
            [$from($low(a, b)), $from($high(a, b))]
        }
    };
}
zip!(zip_2, vreinterpretq_s16_s8, vreinterpretq_s8_s16, vzip1q_s16, vzip2q_s16);
zip!(zip_4, vreinterpretq_s32_s8, vreinterpretq_s8_s32, vzip1q_s32, vzip2q_s32);
zip!(zip_8, vreinterpretq_s64_s8, vreinterpretq_s8_s64, vzip1q_s64, vzip2q_s64);

/// Moves the bits of an element's row number to its column number, one in each round: a round interleaves each row with
/// the one half the rows further on. Of as many columns as rows, that is the transpose.
#[inline(always)]
fn transpose<V: Copy, const N: usize>(mut rows: [V; N], zip: impl Fn(V, V) -> [V; 2]) -> [V; N] {
    for _ in 0..N.ilog2() {
        rows = from_fn(|i| zip(rows[i / 2], rows[i / 2 + N / 2])[i % 2]);
    }
    rows
}

/// Transposes 16 x 16 floats as sixteen squares of 4 x 4.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn transpose_floats(rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
    for row in (0..LANES).step_by(4) {
        for column in (0..LANES).step_by(4) {
            // SAFETY: `column` is at most 12, so four floats from there on lie within the row of sixteen.
            let square = from_fn(|i| unsafe { vld1q_f32(rows[row + i].as_ptr().add(column)) });
            let square: [_; 4] = transpose(square, |a, b| [vzip1q_f32(a, b), vzip2q_f32(a, b)]);
            for (i, turned) in square.into_iter().enumerate() {
                // SAFETY: `row` is at most 12, so four floats from there on lie within the row of sixteen.
                unsafe { vst1q_f32(to[column + i].as_mut_ptr().add(row), turned) };
            }
        }
    }
}

/// Transposes sixteen columns of 32 weights in squares of `N` columns by sixteen weights, `STEP` of which stay
/// together.
#[inline(always)]
pub(super) fn transpose_bytes<const STEP: usize, const N: usize>(
    columns: [&[i8; 32]; PANEL],
    units: &mut [Unit; 16],
    zip: impl Fn(int8x16_t, int8x16_t) -> [int8x16_t; 2],
) {
    const { assert!(STEP * N == 16) };
    let units = units.as_flattened_mut();
    for column in (0..PANEL).step_by(N) {
        for k in [0, 16] {
            // SAFETY: NEON is there, since only methods of a variant call this; `k` is at most 16, so sixteen bytes
            // from there on lie within the column of 32.
            let square = from_fn(|i| unsafe { vld1q_s8(columns[column + i].as_ptr().add(k)) });
            let square: [_; N] = transpose(square, &zip);
            for (i, turned) in square.into_iter().enumerate() {
                let to = &mut units[place(STEP, k + STEP * i, column)..][..16];
                // SAFETY: NEON is there, and the reference is to sixteen bytes.
                unsafe { vst1q_s8(to.as_mut_ptr(), turned) };
            }
        }
    }
}

/// Puts the pairs of `N` units side by side, column by column.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn join_pairs<const N: usize>(pairs: &[Unit; 16], units: &mut [Unit; 16]) {
    for (pairs, units) in pairs.chunks_exact(N).zip(units.chunks_exact_mut(N)) {
        for (half, units) in units.as_flattened_mut().chunks_exact_mut(16 * N).enumerate() {
            // SAFETY: `half` is 0 or 1, so sixteen bytes from there on lie within the unit of 32.
            let rows = from_fn(|i| unsafe { vld1q_s8(pairs[i].as_ptr().add(16 * half)) });
            let rows: [_; N] = transpose(rows, |a, b| zip_2(a, b));
            for (row, to) in rows.into_iter().zip(units.as_chunks_mut::<16>().0) {
                // SAFETY: the reference is to sixteen bytes.
                unsafe { vst1q_s8(to.as_mut_ptr(), row) };
            }
        }
    }
}
