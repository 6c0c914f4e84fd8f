//! WebAssembly with its vectors of 128 bits: four of them make sixteen lanes.
//!
//! WebAssembly has no fused multiply-add whose result is the same everywhere: the relaxed one may round once or twice.
//! `wasm` therefore rounds the product and then the sum. Its vectors are the same bits in every engine, but not those
//! of other instruction sets. `wasm-fused` rounds once, as they do, by float64: several times slower, and for tests
//! alone, where it proves all that the two share.
//!
//! Engines leave fifteen of the sixteen registers of x86-64. Two rows take eight sums, four of weights, an input and a
//! product.

#![allow(unsafe_code)]

use super::{Isa, LANES, PANEL, Pair, Unit, each};
use core::arch::wasm32::*;
use std::array::from_fn;
use std::hint::black_box;
use std::ops::Range;

/// Proof that the module was compiled with vectors, without which no engine runs it.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<const FUSED: bool>(());

/// Products and sums are rounded apart.
pub type Wasm = Lanes<false>;
/// Products and sums are rounded once.
pub type WasmFused = Lanes<true>;

/// Reads the `i`-th sixteen bytes.
macro_rules! load {
    ($from:expr, $i:expr) => {
        // SAFETY: the reference is to an array that has sixteen bytes at that place, and no alignment is needed.
        unsafe { v128_load($from.as_ptr().cast::<v128>().add($i)) }
    };
}

/// Writes the `i`-th sixteen bytes.
macro_rules! store {
    ($to:expr, $i:expr, $v:expr) => {
        // SAFETY: the reference is to an array that has sixteen bytes at that place, and no alignment is needed.
        unsafe { v128_store($to.as_mut_ptr().cast::<v128>().add($i), $v) }
    };
}

impl<const FUSED: bool> Isa for Lanes<FUSED> {
    const NAME: &'static str = if FUSED { "wasm-fused" } else { "wasm" };
    const FUSED: bool = FUSED;
    const INT_SUMS: usize = 2;
    const FLOAT_SUMS: usize = 2;
    const WIDE: bool = false;
    type F32 = [v128; 4];
    type I32 = [v128; 4];
    type Pairs = [v128; 4];

    fn detect() -> Option<Self> {
        Some(Lanes(()))
    }

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [f32x4_splat(x); 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        from_fn(|i| load!(from, i))
    }
    #[inline(always)]
    fn store(self, v: Self::F32, to: &mut [f32; LANES]) {
        (0..4).for_each(|i| store!(to, i, v[i]));
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_add(a[i], b[i]))
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_sub(a[i], b[i]))
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_mul(a[i], b[i]))
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_div(a[i], b[i]))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        if FUSED {
            from_fn(|i| fused(a[i], b[i], c[i]))
        } else {
            from_fn(|i| f32x4_add(f32x4_mul(a[i], b[i]), c[i]))
        }
    }
    // `pmax(b, a)` is `a` if `b < a`, else `b`.
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_pmax(b[i], a[i]))
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        from_fn(|i| f32x4_pmin(b[i], a[i]))
    }
    #[inline(always)]
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32 {
        from_fn(|i| u32x4_max(acc[i], f32x4_abs(x[i])))
    }
    #[inline(always)]
    fn round(self, v: Self::F32) -> Self::I32 {
        from_fn(|i| i32x4_trunc_sat_f32x4(f32x4_nearest(v[i])))
    }
    #[inline(always)]
    fn to_f32(self, v: Self::I32) -> Self::F32 {
        from_fn(|i| f32x4_convert_i32x4(v[i]))
    }
    #[inline(always)]
    fn exp2(self, n: Self::I32) -> Self::F32 {
        from_fn(|i| i32x4_shl(i32x4_add(n[i], i32x4_splat(127)), 23))
    }
    #[inline(always)]
    fn zero(self) -> Self::I32 {
        [i32x4_splat(0); 4]
    }
    #[inline(always)]
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]) {
        store!(to, 0, i16x8_narrow_i32x4(v[0], v[1]));
        store!(to, 1, i16x8_narrow_i32x4(v[2], v[3]));
    }
    #[inline(always)]
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        for row in 0..4 {
            for column in 0..4 {
                let square = from_fn(|i| load!(rows[4 * row + i], column));
                let turned = transpose_square(square);
                (0..4).for_each(|i| store!(to[4 * column + i], row, turned[i]));
            }
        }
    }
    #[inline(always)]
    fn widen(self, unit: &Unit) -> Self::Pairs {
        from_fn(|i| widen_eight(unit, i))
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: Pair) -> Self::I32 {
        let a = splat_pair(&a);
        from_fn(|i| i32x4_add(acc[i], i32x4_dot_i16x8(w[i], a)))
    }
    #[inline(always)]
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Self::I32; C]; R] {
        // The compiler would unroll a loop whose length it knows, and engines then keep sums on the stack: on Zen 4, Node
        // 20 did 31 billion multiply-adds a second with a loop and 14 without.
        let length = black_box(of.len());
        let units = each(units, |units| &units[of.clone()][..length]);
        let rows = each(rows, |row| &row[of.clone()][..length]);
        let mut sums = [[self.zero(); C]; R];
        for i in 0..length {
            let w = each(units, |units| self.widen(&units[i]));
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = self.dot_pairs(sums[r][c], w[c], rows[r][i]);
                }
            }
        }
        sums
    }
    #[inline(always)]
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        for half in 0..2 {
            for k in 0..2 {
                // Eight columns by eight pairs.
                let square = from_fn(|i| load!(columns[8 * half + i], k));
                let turned = transpose_pairs(square);
                (0..8).for_each(|i| store!(units[8 * k + i], half, turned[i]));
            }
        }
    }
    #[inline(always)]
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32 {
        let halves: [v128; 2] = from_fn(|i| load!(from, i));
        [
            widen_halves(u32x4_extend_low_u16x8(halves[0])),
            widen_halves(u32x4_extend_high_u16x8(halves[0])),
            widen_halves(u32x4_extend_low_u16x8(halves[1])),
            widen_halves(u32x4_extend_high_u16x8(halves[1])),
        ]
    }
    #[inline(always)]
    fn prefetch<T>(self, _: &[T]) {}
}

/// The `i`-th eight weights of a unit.
#[inline(always)]
fn widen_eight(unit: &Unit, i: usize) -> v128 {
    // SAFETY: the reference is to 32 bytes, `i` is at most 3, and no alignment is needed.
    unsafe { i16x8_load_extend_i8x8(unit.as_ptr().add(8 * i)) }
}

#[inline(always)]
fn splat_pair(pair: &Pair) -> v128 {
    // SAFETY: the reference is to four bytes, and no alignment is needed.
    unsafe { v128_load32_splat(pair.as_ptr().cast()) }
}

/// `a b + c`, rounded once: see `mul_add` of [`Scalar`](super::Scalar), of which this is four.
#[inline(always)]
fn fused(a: v128, b: v128, c: v128) -> v128 {
    let upper = |v| i64x2_shuffle::<1, 0>(v, v);
    let [low, high] = each([[a, b, c], [upper(a), upper(b), upper(c)]], |operands| {
        let [a, b, c] = each(operands, |v| f64x2_promote_low_f32x4(v));
        f32x4_demote_f64x2_zero(odd_sum(f64x2_mul(a, b), c))
    });
    i64x2_shuffle::<0, 2>(low, high)
}

/// `product + c`, rounded to odd.
#[inline(always)]
fn odd_sum(product: v128, c: v128) -> v128 {
    let zero = f64x2_splat(0.0);
    let sum = f64x2_add(product, c);
    let rounded_c = f64x2_sub(sum, product);
    let lost = f64x2_add(f64x2_sub(product, f64x2_sub(sum, rounded_c)), f64x2_sub(c, rounded_c));
    let is_smaller = v128_xor(f64x2_gt(lost, zero), f64x2_gt(sum, zero));
    // One more or one less.
    let step = v128_or(is_smaller, i64x2_splat(1));
    let is_even = i64x2_sub(v128_and(sum, i64x2_splat(1)), i64x2_splat(1));
    let is_lost = f64x2_gt(f64x2_abs(lost), zero);
    i64x2_add(sum, v128_and(step, v128_and(is_even, is_lost)))
}

/// Float16 in the low halves of the lanes, as float32.
#[inline(always)]
fn widen_halves(halves: v128) -> v128 {
    let magnitude = i32x4_shl(v128_and(halves, i32x4_splat(0x7fff)), 13);
    // From the exponent's bias of float16 to that of float32, subnormal numbers included.
    let scaled = f32x4_mul(magnitude, f32x4_splat(f32::from_bits((127 + 127 - 15) << 23)));
    let is_special = i32x4_ge(magnitude, i32x4_splat(0x7c00 << 13));
    let scaled = v128_or(scaled, v128_and(is_special, i32x4_splat(0x7f80_0000)));
    let sign = i32x4_shl(v128_and(halves, i32x4_splat(0x8000)), 16);
    v128_or(scaled, sign)
}

/// Transposes four rows of four lanes.
#[inline(always)]
fn transpose_square([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let [ab, cd] = [(a, b), (c, d)]
        .map(|(x, y)| [i32x4_shuffle::<0, 4, 1, 5>(x, y), i32x4_shuffle::<2, 6, 3, 7>(x, y)]);
    [
        i64x2_shuffle::<0, 2>(ab[0], cd[0]),
        i64x2_shuffle::<1, 3>(ab[0], cd[0]),
        i64x2_shuffle::<0, 2>(ab[1], cd[1]),
        i64x2_shuffle::<1, 3>(ab[1], cd[1]),
    ]
}

/// Transposes eight rows of eight pairs of bytes, in rounds that interleave rows at distance 1, 2 and 4.
#[inline(always)]
fn transpose_pairs(rows: [v128; 8]) -> [v128; 8] {
    // Of rows 2i and 2i + 1, pairs 0 to 3 and 4 to 7.
    let twos: [[v128; 2]; 4] = from_fn(|i| {
        let (x, y) = (rows[2 * i], rows[2 * i + 1]);
        [
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(x, y),
            i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(x, y),
        ]
    });
    // Of rows 4i to 4i + 3, two pairs each.
    let fours: [[v128; 4]; 2] = from_fn(|i| {
        let (x, y) = (twos[2 * i], twos[2 * i + 1]);
        from_fn(|k| match k % 2 {
            0 => i32x4_shuffle::<0, 4, 1, 5>(x[k / 2], y[k / 2]),
            _ => i32x4_shuffle::<2, 6, 3, 7>(x[k / 2], y[k / 2]),
        })
    });
    from_fn(|k| match k % 2 {
        0 => i64x2_shuffle::<0, 2>(fours[0][k / 2], fours[1][k / 2]),
        _ => i64x2_shuffle::<1, 3>(fours[0][k / 2], fours[1][k / 2]),
    })
}
