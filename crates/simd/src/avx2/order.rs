//! Transposes, built from the interleaving (unpack) instructions.

use crate::{LANES, PANEL, Unit};
use core::arch::x86_64::*;
use std::array::from_fn;

/// Transposes sixteen rows of sixteen byte pairs in four rounds: rows at distance 1, 2, 4 and 8 are interleaved in
/// units of 16, 32, 64 and 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub fn transpose_byte_pairs(rows: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
    // SAFETY: each reference is to 32 bytes, the size of the load.
    let r: [__m256i; 16] = from_fn(|i| unsafe { _mm256_loadu_si256(rows[i].as_ptr().cast()) });
    // After this round, a[i] and a[i + 8] hold rows 2i and 2i + 1 interleaved: the low and the high quarter of each
    // half.
    let a: [__m256i; 16] = from_fn(|i| match i {
        0..8 => _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]),
        _ => _mm256_unpackhi_epi16(r[2 * (i - 8)], r[2 * (i - 8) + 1]),
    });
    // Groups of four rows: index = 4 * (which pair of columns) + group.
    let b: [__m256i; 16] = from_fn(|i| {
        let (quarter, group) = (i / 4, i % 4);
        let base = if quarter < 2 { 0 } else { 8 };
        let (x, y) = (a[base + 2 * group], a[base + 2 * group + 1]);
        if quarter % 2 == 0 { _mm256_unpacklo_epi32(x, y) } else { _mm256_unpackhi_epi32(x, y) }
    });
    // Groups of eight rows: index = 2 * column + group, columns 0..8 (and 8..16 in the high half).
    let c: [__m256i; 16] = from_fn(|i| {
        let (column, group) = (i / 2, i % 2);
        let (x, y) = (b[4 * (column / 2) + 2 * group], b[4 * (column / 2) + 2 * group + 1]);
        if column % 2 == 0 { _mm256_unpacklo_epi64(x, y) } else { _mm256_unpackhi_epi64(x, y) }
    });
    for column in 0..8 {
        let (x, y) = (c[2 * column], c[2 * column + 1]);
        let low = _mm256_permute2x128_si256::<0x20>(x, y);
        let high = _mm256_permute2x128_si256::<0x31>(x, y);
        // SAFETY: each reference is to 32 bytes, the size of the store.
        unsafe {
            _mm256_storeu_si256(units[column].as_mut_ptr().cast(), low);
            _mm256_storeu_si256(units[column + 8].as_mut_ptr().cast(), high);
        }
    }
}

/// Transposes 16 x 16 floats as four squares of 8 x 8, each in three rounds: rows at distance 1, 2 and 4 are
/// interleaved in units of 32, 64 and 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose_floats(rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
    for (row, column) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        // SAFETY: `column` is 0 or 8, so eight floats from there on lie within the row of sixteen.
        let r: [__m256; 8] =
            from_fn(|i| unsafe { _mm256_loadu_ps(rows[row + i].as_ptr().add(column)) });
        // Pairs of rows: index = 4 * (which pair of columns of each half) + pair of rows.
        let a: [__m256; 8] = from_fn(|i| match i {
            0..4 => _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]),
            _ => _mm256_unpackhi_ps(r[2 * (i - 4)], r[2 * (i - 4) + 1]),
        });
        // Groups of four rows: index = 2 * (column of each half) + group.
        let b: [__m256; 8] = from_fn(|i| {
            let (column, four) = (i / 2, i % 2);
            let (x, y) = (a[4 * (column / 2) + 2 * four], a[4 * (column / 2) + 2 * four + 1]);
            let (x, y) = (_mm256_castps_pd(x), _mm256_castps_pd(y));
            _mm256_castpd_ps(match column % 2 {
                0 => _mm256_unpacklo_pd(x, y),
                _ => _mm256_unpackhi_pd(x, y),
            })
        });
        for k in 0..4 {
            let low = _mm256_permute2f128_ps::<0x20>(b[2 * k], b[2 * k + 1]);
            let high = _mm256_permute2f128_ps::<0x31>(b[2 * k], b[2 * k + 1]);
            // SAFETY: `row` is 0 or 8, so eight floats from there on lie within the row of sixteen.
            unsafe {
                _mm256_storeu_ps(to[column + k].as_mut_ptr().add(row), low);
                _mm256_storeu_ps(to[column + 4 + k].as_mut_ptr().add(row), high);
            }
        }
    }
}
