//! Activation functions: GELU (Hendrycks and Gimpel 2016) in both of its forms, and SiLU.

use super::exp::exp;
use super::{lanes, lanes_mut};
use monomorph_simd::Isa;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// `-2 sqrt(2 / pi)`
const MINUS_TWO_ROOT: f32 = -2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBIC: f32 = 0.044_715;

/// An activation function as a type, so that kernels are compiled for each.
pub trait Activate {
    /// Applies the function to each lane.
    fn activate<I: Isa>(isa: I, x: I::F32) -> I::F32;
}

/// GELU's tanh form: `0.5 x (1 + tanh z)` with `z = sqrt(2 / pi) (x + 0.044715 x^3)`.
pub struct GeluTanh;

impl Activate for GeluTanh {
    /// This equals `x / (1 + e^(-2 z))`, which takes one exponential and one division.
    #[inline(always)]
    fn activate<I: Isa>(isa: I, x: I::F32) -> I::F32 {
        let cubic = isa.mul_add(isa.mul(x, x), isa.splat(CUBIC), isa.splat(1.0));
        let minus_two_z = isa.mul(isa.mul(x, cubic), isa.splat(MINUS_TWO_ROOT));
        let denominator = isa.add(isa.splat(1.0), exp(isa, minus_two_z));
        isa.div(x, denominator)
    }
}

/// Exact GELU: `0.5 x (1 + erf(x / sqrt 2))`.
pub struct GeluErf;

/// `erf t = 1 - (a1 u + ... + a5 u^5) e^(-t^2)` with `u = 1 / (1 + p t)`, for `t` of at least 0, with an error of at
/// most 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
const P: f32 = 0.327_591_1;
/// a5 to a1.
const A: [f32; 5] = [1.061_405_4, -1.453_152_1, 1.421_413_8, -0.284_496_72, 0.254_829_6];

impl Activate for GeluErf {
    /// `max(x, 0) - |x| q`, where `q = (1 - erf(|x| / sqrt 2)) / 2` is the weight of a normal distribution beyond
    /// `|x|`.
    #[inline(always)]
    fn activate<I: Isa>(isa: I, x: I::F32) -> I::F32 {
        let zero = isa.splat(0.0);
        let magnitude = isa.max(isa.sub(zero, x), x);
        let t = isa.mul(magnitude, isa.splat(FRAC_1_SQRT_2));
        let u = isa.div(isa.splat(1.0), isa.mul_add(t, isa.splat(P), isa.splat(1.0)));
        let mut p = isa.splat(A[0]);
        for a in &A[1..] {
            p = isa.mul_add(p, u, isa.splat(*a));
        }
        let half = isa.mul(isa.mul(p, u), isa.splat(0.5));
        let q = isa.mul(half, exp(isa, isa.sub(zero, isa.mul(t, t))));
        isa.sub(isa.max(x, zero), isa.mul(magnitude, q))
    }
}

/// SiLU, also called swish: `x / (1 + e^(-x))` (Elfwing et al. 2017).
pub struct Silu;

impl Activate for Silu {
    #[inline(always)]
    fn activate<I: Isa>(isa: I, x: I::F32) -> I::F32 {
        let denominator = isa.add(isa.splat(1.0), exp(isa, isa.sub(isa.splat(0.0), x)));
        isa.div(x, denominator)
    }
}

/// `x = A(x)`; the number of values must be a multiple of sixteen.
#[inline(always)]
pub fn activate<A: Activate, I: Isa>(isa: I, x: &mut [f32]) {
    for x in lanes_mut(x) {
        isa.store(A::activate(isa, isa.load(x)), x);
    }
}

/// `x = A(x) * by`; the number of values must be a multiple of sixteen.
#[inline(always)]
pub fn activate_times<A: Activate, I: Isa>(isa: I, x: &mut [f32], by: &[f32]) {
    for (x, by) in lanes_mut(x).iter_mut().zip(lanes(by)) {
        isa.store(isa.mul(A::activate(isa, isa.load(x)), isa.load(by)), x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_simd::{LANES, for_each_isa};

    fn of<A: Activate, I: Isa>(isa: I, x: f32) -> f32 {
        let mut y = [0.0; LANES];
        isa.vectorize(|| isa.store(A::activate(isa, isa.splat(x)), &mut y));
        assert!(y[0].is_nan() || y == [y[0]; LANES]);
        y[0]
    }

    /// The largest error over [-20, 20], absolute for small values and relative for large ones.
    fn worst<A: Activate, I: Isa>(isa: I, want: impl Fn(f64) -> f64) -> f64 {
        let error = |i: i32| {
            let x = i as f32 * 1e-3;
            let want = want(x.into());
            (f64::from(of::<A, I>(isa, x)) - want).abs() / (1.0 + want.abs())
        };
        (-20_000..20_000).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn equal_their_definitions() {
        for_each_isa!(|isa| {
            let tanh = |x: f64| {
                let z = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + z.tanh())
            };
            let errors = [
                worst::<GeluTanh, _>(isa, tanh),
                worst::<GeluErf, _>(isa, |x| 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt()))),
                worst::<Silu, _>(isa, |x| x / (1.0 + (-x).exp())),
            ];
            println!("worst errors {errors:?}");
            assert!(errors.iter().all(|error| *error < 5e-7), "{errors:?}");
        });
    }

    #[test]
    fn a_product_with_an_activation_is_both_in_turn() {
        let x: [f32; 2 * LANES] = std::array::from_fn(|i| i as f32 * 0.3 - 4.0);
        let by: [f32; 2 * LANES] = std::array::from_fn(|i| (i * i) as f32 * 0.1 - 9.0);
        for_each_isa!(|isa| {
            let (mut product, mut activated) = (x, x);
            isa.vectorize(|| activate_times::<GeluTanh, _>(isa, &mut product, &by));
            isa.vectorize(|| activate::<GeluTanh, _>(isa, &mut activated));
            for i in 0..x.len() {
                assert_eq!(product[i], activated[i] * by[i]);
            }
        });
    }

    #[test]
    fn large_and_broken_inputs() {
        for_each_isa!(|isa| {
            for large in [1e6, 1e30] {
                let found = [
                    of::<GeluTanh, _>(isa, large),
                    of::<GeluErf, _>(isa, large),
                    of::<Silu, _>(isa, large),
                ];
                assert_eq!(found, [large; 3]);
                assert_eq!(of::<GeluErf, _>(isa, -large), 0.0);
            }
            let nan = [
                of::<GeluTanh, _>(isa, f32::NAN),
                of::<GeluErf, _>(isa, f32::NAN),
                of::<Silu, _>(isa, f32::NAN),
            ];
            assert!(nan.iter().all(|y| y.is_nan()));
        });
    }
}
