//! AVX2 with FMA: two 256-bit registers make sixteen lanes.
//!
//! The variants differ in how they add the products of integers, in a file each. The sixteen registers hold a 6 x 16
//! tile: 12 accumulators, 2 weights, 1 broadcast, 1 temporary. The float accumulators of an int8 tile are kept in
//! memory between blocks.

#![allow(unsafe_code)]

mod order;
mod tile;
mod vpdpwssd;
mod vpmaddwd;

pub(super) use self::order::transpose_byte_pairs;
use self::order::transpose_floats;
use super::{Isa, LANES, PANEL, Pair, Unit, each};
use core::arch::x86_64::*;
use std::ops::Range;

/// AVX2, with the integer products of `P`.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<P>(P);

/// AVX2 as every CPU has it.
pub type Avx2 = Lanes<vpmaddwd::Vpmaddwd>;
/// AVX2 with the dot product of int16.
pub type AvxVnni = Lanes<vpdpwssd::Vpdpwssd>;
/// What `AvxVnni` does, on CPUs with AVX-512.
#[cfg(test)]
pub(super) type AvxVnniAsEvex = Lanes<vpdpwssd::Evex>;

/// How a variant multiplies integers. A value is proof that the CPU has AVX2, FMA, F16C and what the products need; the
/// names are those of [`Isa`].
pub trait Products: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    fn detect() -> Option<Self>;
    /// One panel's part of [`Isa::dot`].
    fn dot_panel<const R: usize>(
        self,
        rows: [&[Pair; 16]; R],
        units: &[Unit; 16],
        of: Range<usize>,
    ) -> [[__m256i; 2]; R];
}

/// Whether the CPU has what both variants need.
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
}

/// Runs intrinsics, each on both halves of the lanes.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where its products' `detect` saw AVX2, FMA and F16C, the features of every
        // intrinsic used with this macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "avx2,fma,f16c")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl<P: Products> Isa for Lanes<P> {
    const NAME: &'static str = P::NAME;
    const INT_SUMS: usize = 6;
    const FLOAT_SUMS: usize = 6;
    const WIDE: bool = false;
    type F32 = [__m256; 2];
    type I32 = [__m256i; 2];
    type Pairs = [__m256i; 2];

    fn detect() -> Option<Self> {
        P::detect().map(Lanes)
    }

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        lanes!(with_features(f))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        lanes!([_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        let p = from.as_ptr();
        lanes!([_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))])
    }
    #[inline(always)]
    fn store(self, v: Self::F32, to: &mut [f32; LANES]) {
        let p = to.as_mut_ptr();
        lanes!({
            _mm256_storeu_ps(p, v[0]);
            _mm256_storeu_ps(p.add(8), v[1]);
        })
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        lanes!([_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])])
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!([_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])])
    }
    #[inline(always)]
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32 {
        lanes!(std::array::from_fn(|i| {
            let bits = _mm256_and_si256(_mm256_castps_si256(x[i]), _mm256_set1_epi32(i32::MAX));
            _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(acc[i]), bits))
        }))
    }
    #[inline(always)]
    fn round(self, v: Self::F32) -> Self::I32 {
        lanes!([_mm256_cvtps_epi32(v[0]), _mm256_cvtps_epi32(v[1])])
    }
    #[inline(always)]
    fn to_f32(self, v: Self::I32) -> Self::F32 {
        lanes!([_mm256_cvtepi32_ps(v[0]), _mm256_cvtepi32_ps(v[1])])
    }
    #[inline(always)]
    fn exp2(self, n: Self::I32) -> Self::F32 {
        lanes!(std::array::from_fn(|i| {
            let biased = _mm256_add_epi32(n[i], _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
        }))
    }
    #[inline(always)]
    fn zero(self) -> Self::I32 {
        lanes!([_mm256_setzero_si256(); 2])
    }
    #[inline(always)]
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]) {
        lanes!({
            // The pack instruction works within 128-bit halves; the permutation puts the quarters back in order.
            let packed = _mm256_packs_epi32(v[0], v[1]);
            let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), ordered);
        })
    }
    #[inline(always)]
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        lanes!(transpose_floats(rows, to))
    }
    #[inline(always)]
    fn widen(self, unit: &Unit) -> Self::Pairs {
        let p = unit.as_ptr().cast::<__m128i>();
        lanes!([
            _mm256_cvtepi8_epi16(_mm_loadu_si128(p)),
            _mm256_cvtepi8_epi16(_mm_loadu_si128(p.add(1))),
        ])
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: [i16; 2]) -> Self::I32 {
        lanes!({
            let a = _mm256_set1_epi32(pair_bits(a));
            [
                _mm256_add_epi32(acc[0], _mm256_madd_epi16(w[0], a)),
                _mm256_add_epi32(acc[1], _mm256_madd_epi16(w[1], a)),
            ]
        })
    }
    #[inline(always)]
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Self::I32; C]; R] {
        let sums = each(units, |units| self.0.dot_panel(rows, units, of.clone()));
        std::array::from_fn(|r| std::array::from_fn(|c| sums[c][r]))
    }
    #[inline(always)]
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        lanes!(transpose_byte_pairs(columns, units))
    }
    #[inline(always)]
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32 {
        let p = from.as_ptr().cast::<__m128i>();
        lanes!([_mm256_cvtph_ps(_mm_loadu_si128(p)), _mm256_cvtph_ps(_mm_loadu_si128(p.add(1)))])
    }
    #[inline(always)]
    fn prefetch<T>(self, at: &[T]) {
        lanes!(_mm_prefetch::<_MM_HINT_T0>(at.as_ptr().cast()))
    }
}

/// Two int16 as one int32, the first in the low half.
#[inline(always)]
pub(super) fn pair_bits(a: [i16; 2]) -> i32 {
    i32::from(a[0] as u16) | i32::from(a[1]) << 16
}
