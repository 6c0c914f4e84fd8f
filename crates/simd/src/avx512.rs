//! AVX-512 with VNNI: one 512-bit register holds sixteen lanes, and `vpdpwssd` multiplies pairs and accumulates them in
//! one instruction.
//!
//! The thirty-two registers hold the 14 integer and 14 float accumulators of an int8 tile and its operands, or the 16
//! accumulators of a float tile (24 in attention, which reads three panels at a time) and its operands.

#![allow(unsafe_code)]

use super::avx2::{pair_bits, transpose_byte_pairs};
use super::{Isa, LANES, PANEL, Unit};
use core::arch::x86_64::*;

/// Proof that the CPU has AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw AVX-512 F, BW, VL and VNNI, AVX2 and FMA, the features of every
        // intrinsic used with this macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// `acc + w.0 * a.0 + w.1 * a.1` in each lane.
///
/// This is assembly and not `_mm512_dpwssd_epi32`, because where dependency chains are short, LLVM (in Rust 1.95) turns
/// that into a multiplication and an addition. Matmuls of Q6_K ran at 110 G multiply-adds/s with the intrinsic and at
/// 190 with this (Zen 5, `cargo bench -- 'matmul q Q6_K'`).
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot(acc: __m512i, w: __m512i, a: __m512i) -> __m512i {
    let mut sums = acc;
    // SAFETY: the function enables the instruction's features, and all operands are registers.
    unsafe {
        core::arch::asm!(
            "vpdpwssd {sums}, {w}, {a}",
            sums = inout(zmm_reg) sums,
            w = in(zmm_reg) w,
            a = in(zmm_reg) a,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Transposes 16 x 16 floats in four rounds. The first two interleave rows at distance 1 and 2 in units of 32 and 64
/// bits; the third joins halves of registers at distance 4, the fourth every other quarter at distance 8.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose_floats(rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
    // SAFETY: each reference is to sixteen floats, the size of the load.
    let r: [__m512; 16] = std::array::from_fn(|i| unsafe { _mm512_loadu_ps(rows[i].as_ptr()) });
    // Pairs of rows: index = 8 * (which pair of columns of each quarter) + pair of rows.
    let a: [__m512; 16] = std::array::from_fn(|i| match i {
        0..8 => _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]),
        _ => _mm512_unpackhi_ps(r[2 * (i - 8)], r[2 * (i - 8) + 1]),
    });
    // Groups of four rows: index = 4 * (column of each quarter) + group.
    let b: [__m512; 16] = std::array::from_fn(|i| {
        let (column, four) = (i / 4, i % 4);
        let (x, y) = (a[8 * (column / 2) + 2 * four], a[8 * (column / 2) + 2 * four + 1]);
        let (x, y) = (_mm512_castps_pd(x), _mm512_castps_pd(y));
        _mm512_castpd_ps(match column % 2 {
            0 => _mm512_unpacklo_pd(x, y),
            _ => _mm512_unpackhi_pd(x, y),
        })
    });
    for column in 0..4 {
        let (x, y) = ([b[4 * column], b[4 * column + 2]], [b[4 * column + 1], b[4 * column + 3]]);
        // Groups of eight rows: quarters 0 and 1, then 2 and 3.
        let low: [__m512; 2] = std::array::from_fn(|i| _mm512_shuffle_f32x4::<0x44>(x[i], y[i]));
        let high: [__m512; 2] = std::array::from_fn(|i| _mm512_shuffle_f32x4::<0xee>(x[i], y[i]));
        for (quarter, [x, y]) in [(0, low), (2, high)] {
            let even = _mm512_shuffle_f32x4::<0x88>(x, y);
            let odd = _mm512_shuffle_f32x4::<0xdd>(x, y);
            // SAFETY: each reference is to sixteen floats, the size of the store.
            unsafe {
                _mm512_storeu_ps(to[4 * quarter + column].as_mut_ptr(), even);
                _mm512_storeu_ps(to[4 * (quarter + 1) + column].as_mut_ptr(), odd);
            }
        }
    }
}

impl Isa for Avx512 {
    const NAME: &'static str = "avx512";
    const INT_SUMS: usize = 14;
    const FLOAT_SUMS: usize = 16;
    const WIDE: bool = true;
    type F32 = __m512;
    type I32 = __m512i;
    type Pairs = __m512i;

    fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        all.then_some(Avx512(()))
    }

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        lanes!(with_features(f))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        lanes!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        lanes!(_mm512_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn store(self, v: Self::F32, to: &mut [f32; LANES]) {
        lanes!(_mm512_storeu_ps(to.as_mut_ptr(), v))
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        lanes!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32 {
        lanes!({
            let bits = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MAX));
            _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(acc), bits))
        })
    }
    #[inline(always)]
    fn round(self, v: Self::F32) -> Self::I32 {
        lanes!(_mm512_cvtps_epi32(v))
    }
    #[inline(always)]
    fn to_f32(self, v: Self::I32) -> Self::F32 {
        lanes!(_mm512_cvtepi32_ps(v))
    }
    #[inline(always)]
    fn exp2(self, n: Self::I32) -> Self::F32 {
        lanes!({
            let biased = _mm512_add_epi32(n, _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        })
    }
    #[inline(always)]
    fn zero(self) -> Self::I32 {
        lanes!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]) {
        lanes!(_mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(v)))
    }
    #[inline(always)]
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        lanes!(transpose_floats(rows, to))
    }
    #[inline(always)]
    fn widen(self, unit: &Unit) -> Self::Pairs {
        lanes!(_mm512_cvtepi8_epi16(_mm256_loadu_si256(unit.as_ptr().cast())))
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: [i16; 2]) -> Self::I32 {
        lanes!(dot(acc, w, _mm512_set1_epi32(pair_bits(a))))
    }
    #[inline(always)]
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        lanes!(transpose_byte_pairs(columns, units))
    }
    #[inline(always)]
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32 {
        lanes!(_mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())))
    }
    #[inline(always)]
    fn prefetch<T>(self, at: &[T]) {
        lanes!(_mm_prefetch::<_MM_HINT_T0>(at.as_ptr().cast()))
    }
}
