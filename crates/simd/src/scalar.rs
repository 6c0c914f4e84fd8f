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

/// `a b + c`, rounded once, as the instruction of other CPUs does it.
///
/// `f32::mul_add` would call the C library, which is slow, and wrong on some systems. The product is exact in float64. The
/// sum is rounded there to odd (Boldo and Melquiond 2008): where it is not exact, its last bit is set, so that rounding to
/// float32 sees on which side of a tie it lies.
#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let sum = product + c;
    // What was lost (Knuth's TwoSum); NaN where the sum is not finite.
    let rounded_c = sum - product;
    let lost = (product - (sum - rounded_c)) + (c - rounded_c);
    let bits = sum.to_bits();
    let is_larger = (lost > 0.0) == (sum > 0.0);
    let odd = if is_larger { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
    let is_lost = lost.abs() > 0.0;
    let bits = if is_lost && bits & 1 == 0 { odd } else { bits };
    f64::from_bits(bits) as f32
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
        std::array::from_fn(|i| mul_add(a[i], b[i], c[i]))
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
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]) {
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
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        for (k, unit) in units.iter_mut().enumerate() {
            for (c, column) in columns.iter().enumerate() {
                unit[2 * c] = column[2 * k];
                unit[2 * c + 1] = column[2 * k + 1];
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

#[cfg(test)]
mod tests {
    use super::mul_add;

    #[track_caller]
    fn check(a: f32, b: f32, c: f32) {
        let (got, want) = (mul_add(a, b, c), a.mul_add(b, c));
        let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
        assert!(same, "{a:e} {b:e} {c:e}: {got:e} for {want:e}");
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[test]
    fn every_kind_of_number_meets_every_other() {
        let tiny = f32::from_bits(1);
        let kinds = [
            0.0,
            1.0,
            1.0 + f32::EPSILON,
            1.0 - f32::EPSILON / 2.0,
            0.1,
            3.0,
            tiny,
            3.0 * tiny,
            f32::MIN_POSITIVE,
            f32::MIN_POSITIVE - tiny,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            16_777_216.0,
            16_777_215.0,
            1e-20,
            1e20,
        ];
        let kinds: Vec<f32> = kinds.iter().flat_map(|x| [*x, -x]).collect();
        for a in &kinds {
            for b in &kinds {
                kinds.iter().for_each(|c| check(*a, *b, *c));
            }
        }
    }

    #[test]
    fn random_numbers_round_once() {
        let mut state = 5;
        for _ in 0..400_000 {
            let [a, b, c] = [(); 3].map(|()| f32::from_bits(random(&mut state) as u32));
            check(a, b, c);
            // The sum is near a tie, or cancels, where the addend is near the product.
            let product = a * b;
            let near = product.to_bits() ^ (random(&mut state) as u32 & 0x8000_000f);
            check(a, b, f32::from_bits(near));
            let shift = (random(&mut state) % 60) as i32 - 30;
            check(a, b, product * 2f32.powi(shift));
            // A subnormal result.
            check(a, 2f32.powi(-140) / a.abs().max(1e-30), c * 1e-38);
        }
    }

    /// A tie of float32 that a trace far below it decides: the sum rounds to the tie in float64.
    #[test]
    fn a_trace_decides_a_tie() {
        let half = f32::EPSILON / 2.0;
        for trace in [2f32.powi(-60), 2f32.powi(-100), 2f32.powi(-126)] {
            for sign in [1.0, -1.0] {
                // 1 + half an ulp is a tie; c is far below what float64 can add to it.
                let (a, b) = (1.0 + f32::EPSILON, half);
                check(a, b, 1.0);
                check(1.0 + half * 2.0, 1.0 + half * 2.0, sign * trace);
                check(sign * trace, trace, 1.0 + half);
            }
        }
    }
}
