//! AVX2 with FMA: two 256-bit registers make sixteen lanes.
//!
//! The sixteen registers hold a 6 x 16 tile: 12 accumulators, 2 weights, 1 broadcast, 1 temporary. The float
//! accumulators of an int8 tile are kept in memory between blocks.

#![allow(unsafe_code)]

use super::{Isa, LANES, PANEL, Pair, Unit, each};
use core::arch::x86_64::*;
use std::ops::Range;

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// Runs intrinsics, each on both halves of the lanes.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw AVX2, FMA and F16C, the features of every intrinsic used with
        // this macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "avx2,fma,f16c")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Isa for Avx2 {
    const NAME: &'static str = "avx2";
    const INT_SUMS: usize = 6;
    const FLOAT_SUMS: usize = 6;
    const WIDE: bool = false;
    type F32 = [__m256; 2];
    type I32 = [__m256i; 2];
    type Pairs = [__m256i; 2];

    fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        all.then_some(Avx2(()))
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
        let sums = each(units, |units| lanes!(dot_panel(rows, units, of.clone())));
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

/// Assembly that multiplies the pairs of rows that lie `$at` bytes from their beginnings by the [`Unit`] that belongs to
/// them: the first pairs with `mul`, which makes the sums, all others with `mul_add`.
macro_rules! pairs {
    ($op:ident ($($at:literal)+) $rows:tt) => { concat!($(pairs!(@pair $op $at $rows)),+) };
    (@pair $op:ident $at:literal ($($r:literal $row:ident $low:ident $high:ident),+)) => {
        concat!(
            "vpmovsxbw {w0}, xmmword ptr [{units} + 8 * ", $at, "]\n",
            "vpmovsxbw {w1}, xmmword ptr [{units} + 8 * ", $at, " + 16]\n",
            $(
                "vpbroadcastd {a}, dword ptr [{", stringify!($row), "} + ", $at, "]\n",
                pairs!(@$op $low $high),
            )+
        )
    };
    (@mul $low:ident $high:ident) => {
        concat!(
            "vpmaddwd {", stringify!($low), "}, {a}, {w0}\n",
            "vpmaddwd {", stringify!($high), "}, {a}, {w1}\n",
        )
    };
    (@mul_add $low:ident $high:ident) => {
        concat!(
            "vpmaddwd {t}, {a}, {w0}\n",
            "vpmaddwd {a}, {a}, {w1}\n",
            "vpaddd {", stringify!($high), "}, {", stringify!($high), "}, {a}\n",
            "vpaddd {", stringify!($low), "}, {", stringify!($low), "}, {t}\n",
        )
    };
}

/// The sums of eight or sixteen pairs, from the first that the pointers `$rows` and `$units` point to.
macro_rules! sums {
    ($at:tt $rows:ident $units:ident ($($r:literal $row:ident $low:ident $high:ident),+)) => {{
        $(let ($low, $high): (__m256i, __m256i);)+
        core::arch::asm!(
            pairs!(mul (0) ($($r $row $low $high),+)),
            pairs!(mul_add $at ($($r $row $low $high),+)),
            units = in(reg) $units,
            $($row = in(reg) $rows[$r],)+
            $($low = out(ymm_reg) $low, $high = out(ymm_reg) $high,)+
            w0 = out(ymm_reg) _,
            w1 = out(ymm_reg) _,
            a = out(ymm_reg) _,
            t = out(ymm_reg) _,
            options(pure, readonly, nostack, preserves_flags),
        );
        [$([$low, $high]),+]
    }};
}

/// Defines the product of `$count` rows and a panel.
///
/// This is assembly because LLVM (in Rust 1.95) does not always fit the twelve sums of six rows, two weights, an input
/// and a product into the sixteen registers: it kept up to six of the sums on the stack, with a load and a store for
/// each addition. With them in registers, and all pairs of a block in one piece, products of four rows or more take 4 %
/// less time on Zen 4, which spilled least.
macro_rules! dot_rows {
    ($name:ident $count:literal $rows:tt) => {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn $name(
            rows: [&[Pair; 16]; $count],
            units: &[Unit; 16],
            of: Range<usize>,
        ) -> [[__m256i; 2]; $count] {
            let pairs = each(rows, |row| row[of.clone()].as_ptr());
            let units = units[of.clone()].as_ptr();
            // SAFETY: the function enables the instructions' features. The pointers are to as many pairs of four bytes
            // and units of 32 as the range has, and each arm's loads end with them.
            unsafe {
                match of.len() {
                    8 => sums!((4 8 12 16 20 24 28) pairs units $rows),
                    16 => sums!((4 8 12 16 20 24 28 32 36 40 44 48 52 56 60) pairs units $rows),
                    _ => unreachable!("all of a block is multiplied, or half"),
                }
            }
        }
    };
}
dot_rows!(dot_1 1 (0 r0 l0 h0));
dot_rows!(dot_2 2 (0 r0 l0 h0, 1 r1 l1 h1));
dot_rows!(dot_3 3 (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2));
dot_rows!(dot_4 4 (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3));
dot_rows!(dot_5 5 (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3, 4 r4 l4 h4));
dot_rows!(dot_6 6 (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3, 4 r4 l4 h4, 5 r5 l5 h5));

/// Multiplies rows, at most six, by a panel.
#[inline]
#[target_feature(enable = "avx2")]
fn dot_panel<const R: usize>(
    rows: [&[Pair; 16]; R],
    units: &[Unit; 16],
    of: Range<usize>,
) -> [[__m256i; 2]; R] {
    macro_rules! dot {
        ($($n:literal $dot:ident)+) => {
            match R {
                $($n => {
                    let sums = $dot(std::array::from_fn(|r| rows[r]), units, of);
                    std::array::from_fn(|r| sums[r])
                })+
                _ => unreachable!("tiles have at most six rows"),
            }
        };
    }
    dot!(1 dot_1 2 dot_2 3 dot_3 4 dot_4 5 dot_5 6 dot_6)
}

/// Two int16 as one int32, the first in the low half.
#[inline(always)]
pub(super) fn pair_bits(a: [i16; 2]) -> i32 {
    i32::from(a[0] as u16) | i32::from(a[1]) << 16
}

/// Transposes sixteen rows of sixteen byte pairs in four rounds: rows at distance 1, 2, 4 and 8 are interleaved in
/// units of 16, 32, 64 and 128 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose_byte_pairs(rows: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
    // SAFETY: each reference is to 32 bytes, the size of the load.
    let r: [__m256i; 16] =
        std::array::from_fn(|i| unsafe { _mm256_loadu_si256(rows[i].as_ptr().cast()) });
    // After this round, a[i] and a[i + 8] hold rows 2i and 2i + 1 interleaved: the low and the high quarter of each
    // half.
    let a: [__m256i; 16] = std::array::from_fn(|i| match i {
        0..8 => _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]),
        _ => _mm256_unpackhi_epi16(r[2 * (i - 8)], r[2 * (i - 8) + 1]),
    });
    // Groups of four rows: index = 4 * (which pair of columns) + group.
    let b: [__m256i; 16] = std::array::from_fn(|i| {
        let (quarter, group) = (i / 4, i % 4);
        let base = if quarter < 2 { 0 } else { 8 };
        let (x, y) = (a[base + 2 * group], a[base + 2 * group + 1]);
        if quarter % 2 == 0 { _mm256_unpacklo_epi32(x, y) } else { _mm256_unpackhi_epi32(x, y) }
    });
    // Groups of eight rows: index = 2 * column + group, columns 0..8 (and 8..16 in the high half).
    let c: [__m256i; 16] = std::array::from_fn(|i| {
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
fn transpose_floats(rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
    for (row, column) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        // SAFETY: `column` is 0 or 8, so eight floats from there on lie within the row of sixteen.
        let r: [__m256; 8] =
            std::array::from_fn(|i| unsafe { _mm256_loadu_ps(rows[row + i].as_ptr().add(column)) });
        // Pairs of rows: index = 4 * (which pair of columns of each half) + pair of rows.
        let a: [__m256; 8] = std::array::from_fn(|i| match i {
            0..4 => _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]),
            _ => _mm256_unpackhi_ps(r[2 * (i - 4)], r[2 * (i - 4) + 1]),
        });
        // Groups of four rows: index = 2 * (column of each half) + group.
        let b: [__m256; 8] = std::array::from_fn(|i| {
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
