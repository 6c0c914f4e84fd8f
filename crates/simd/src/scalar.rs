//! Plain Rust: it runs everywhere and defines the bits that every other instruction set must give.

use super::{Isa, LANES, PANEL, Unit};

/// The portable instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Scalar(());

#[inline(always)]
fn map<A: Copy, B>(a: [A; LANES], f: impl Fn(A) -> B) -> [B; LANES] {
    std::array::from_fn(|i| f(a[i]))
}

#[inline(always)]
fn zip<A: Copy, B: Copy, C>(a: [A; LANES], b: [B; LANES], f: impl Fn(A, B) -> C) -> [C; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Isa for Scalar {
    const NAME: &'static str = "scalar";
    const INT_SUMS: usize = 4;
    const FLOAT_SUMS: usize = 4;
    const WIDE: bool = false;
    type F32 = [f32; LANES];
    type I32 = [i32; LANES];
    type Pairs = [[i16; 2]; LANES];

    fn detect() -> Option<Self> {
        Some(Scalar(()))
    }

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        *from
    }
    #[inline(always)]
    fn store(self, v: Self::F32, to: &mut [f32; LANES]) {
        *to = v;
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32 {
        // Non-negative floats have the same order as their bits, with NaN above infinity.
        zip(acc, x, |a, x| f32::from_bits(a.to_bits().max(x.abs().to_bits())))
    }
    #[inline(always)]
    fn round(self, v: Self::F32) -> Self::I32 {
        map(v, |x| x.round_ties_even() as i32)
    }
    #[inline(always)]
    fn to_f32(self, v: Self::I32) -> Self::F32 {
        map(v, |x| x as f32)
    }
    #[inline(always)]
    fn exp2(self, n: Self::I32) -> Self::F32 {
        map(n, |n| f32::from_bits((n.wrapping_add(127) as u32) << 23))
    }
    #[inline(always)]
    fn zero(self) -> Self::I32 {
        [0; LANES]
    }
    #[inline(always)]
    fn store_i16(self, v: Self::I32, to: &mut [i16; LANES]) {
        *to = map(v, |x| x as i16);
    }
    #[inline(always)]
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        for (k, to) in to.iter_mut().enumerate() {
            for (i, row) in rows.iter().enumerate() {
                to[i] = row[k];
            }
        }
    }
    #[inline(always)]
    fn widen(self, unit: &Unit) -> Self::Pairs {
        std::array::from_fn(|c| [i16::from(unit[2 * c]), i16::from(unit[2 * c + 1])])
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: [i16; 2]) -> Self::I32 {
        let (a0, a1) = (i32::from(a[0]), i32::from(a[1]));
        zip(acc, w, |acc, w| acc + i32::from(w[0]) * a0 + i32::from(w[1]) * a1)
    }
    #[inline(always)]
    fn transpose_pairs(self, rows: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        for (k, unit) in units.iter_mut().enumerate() {
            for (c, row) in rows.iter().enumerate() {
                unit[2 * c] = row[2 * k];
                unit[2 * c + 1] = row[2 * k + 1];
            }
        }
    }
    #[inline(always)]
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32 {
        map(from, |bits| half::f16::from_bits(bits).to_f32())
    }
    #[inline(always)]
    fn prefetch<T>(self, _: &[T]) {}
}
