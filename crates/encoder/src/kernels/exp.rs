//! The exponential function of a vector, to about 1 ulp.
//!
//! Cody-Waite range reduction: `x = n ln 2 + r` with `|r| <= ln 2 / 2`, so `e^x = 2^n e^r`. `ln 2` is split in two so
//! that the product of `n` and its upper part is exact; `e^r` is `1 + r + r^2 P(r)` with the minimax polynomial P of
//! Moshier's Cephes library (expf).

use monomorph_simd::Isa;

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// The upper bits of ln 2, 355 / 512: few enough that its product with any `n` is exact.
const LN2_HIGH: f32 = 0.693_359_4;
/// ln 2 minus its upper bits.
const LN2_LOW: f32 = -2.121_944_4e-4;
/// Smaller inputs are raised to this. There `n` is -127, for which [`Isa::exp2`] gives zero, and so the result is zero.
const LOWEST: f32 = -88.0;
/// Larger inputs are lowered to this, so that `n` is at most 127; the result stays at `e^88`.
const HIGHEST: f32 = 88.0;
/// P, highest power first.
const POLYNOMIAL: [f32; 6] =
    [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// `e^x` for each lane: zero below -87.7, limited to `e^88` above; NaN stays NaN.
#[inline(always)]
pub fn exp<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let x = isa.min(isa.splat(HIGHEST), isa.max(isa.splat(LOWEST), x));
    let n = isa.round(isa.mul(x, isa.splat(LOG2_E)));
    let n_float = isa.to_f32(n);
    let r = isa.mul_add(n_float, isa.splat(-LN2_HIGH), x);
    let r = isa.mul_add(n_float, isa.splat(-LN2_LOW), r);
    let mut p = isa.splat(POLYNOMIAL[0]);
    for c in &POLYNOMIAL[1..] {
        p = isa.mul_add(p, r, isa.splat(*c));
    }
    // 1 + r + p r^2, the small terms first.
    let p = isa.mul_add(isa.mul(r, r), p, r);
    isa.mul(isa.add(p, isa.splat(1.0)), isa.exp2(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_simd::{LANES, for_each_isa};

    fn exp_of<I: Isa>(isa: I, x: [f32; LANES]) -> [f32; LANES] {
        let mut y = [0.0; LANES];
        isa.vectorize(|| isa.store(exp(isa, isa.load(&x)), &mut y));
        y
    }

    #[test]
    fn is_within_two_ulp_of_the_float64_function() {
        for_each_isa!(|isa| {
            let mut worst = 0.0f64;
            for i in 0..100_000 {
                let x = -87.0 + 174.0 * i as f32 / 100_000.0;
                let y = exp_of(isa, [x; LANES])[i % LANES];
                let want = f64::from(x).exp();
                let ulp = f64::from((want as f32).next_up()) - f64::from(want as f32);
                worst = worst.max((f64::from(y) - want).abs() / ulp);
            }
            println!("worst error {worst:.2} ulp");
            assert!(worst < 2.0, "{worst}");
        });
    }

    #[test]
    fn handles_the_ends() {
        for_each_isa!(|isa| {
            let x = [f32::NEG_INFINITY, -1000.0, f32::NAN, 0.0, 1000.0, -88.0, -87.0, 1.0];
            let y = exp_of(isa, std::array::from_fn(|i| x[i % 8]));
            assert_eq!((y[0], y[1], y[3]), (0.0, 0.0, 1.0));
            assert!(y[2].is_nan());
            assert!(y[4].is_finite() && y[4] > 1e38);
            assert_eq!(y[5], 0.0);
            assert!(y[6] > 0.0);
        });
    }
}
