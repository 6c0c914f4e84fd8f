//! RMSNorm: `y = x / sqrt(mean(x^2) + eps) * gain` (Zhang and Sennrich 2019, equation 4).

use super::quantize::scale_of;
use super::{lanes, lanes_mut};
use crate::dim::Dim;
use monomorph_simd::Isa;

/// `1 / sqrt(mean(x^2) + eps)` of a row of `n` floats.
#[inline(always)]
fn inverse_rms<I: Isa>(isa: I, n: usize, squares: I::F32, eps: f32) -> f32 {
    1.0 / (isa.sum(squares) / n as f32 + eps).sqrt()
}

/// The sum of squares, lane by lane.
#[inline(always)]
fn squares<I: Isa>(isa: I, x: &[f32]) -> I::F32 {
    let mut sum = isa.splat(0.0);
    for v in lanes(x) {
        let v = isa.load(v);
        sum = isa.mul_add(v, v, sum);
    }
    sum
}

/// `y = RMSNorm(x) * gain`; all rows are `n` long.
#[inline(always)]
pub fn rms_norm<I: Isa, N: Dim>(isa: I, n: N, x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]) {
    let (x, gain, y) = (&x[..n.size()], &gain[..n.size()], &mut y[..n.size()]);
    let scale = isa.splat(inverse_rms(isa, n.size(), squares(isa, x), eps));
    for ((v, g), y) in lanes(x).iter().zip(lanes(gain)).zip(lanes_mut(y)) {
        isa.store(isa.mul(isa.mul(isa.load(v), isa.load(g)), scale), y);
    }
}

/// `x = RMSNorm(x) * gain`
#[inline(always)]
pub fn rms_norm_in_place<I: Isa, N: Dim>(isa: I, n: N, x: &mut [f32], gain: &[f32], eps: f32) {
    let (x, gain) = (&mut x[..n.size()], &gain[..n.size()]);
    let scale = isa.splat(inverse_rms(isa, n.size(), squares(isa, x), eps));
    for (x, g) in lanes_mut(x).iter_mut().zip(lanes(gain)) {
        isa.store(isa.mul(isa.mul(isa.load(x), isa.load(g)), scale), x);
    }
}

/// `x += RMSNorm(branch) * gain`: a layer's residual step.
#[inline(always)]
pub fn add_rms_norm<I: Isa, N: Dim>(
    isa: I,
    n: N,
    x: &mut [f32],
    branch: &[f32],
    gain: &[f32],
    eps: f32,
) {
    let (x, branch, gain) = (&mut x[..n.size()], &branch[..n.size()], &gain[..n.size()]);
    let scale = isa.splat(inverse_rms(isa, n.size(), squares(isa, branch), eps));
    for ((x, b), g) in lanes_mut(x).iter_mut().zip(lanes(branch)).zip(lanes(gain)) {
        let step = isa.mul(isa.load(b), isa.load(g));
        isa.store(isa.mul_add(step, scale, isa.load(x)), x);
    }
}

/// Quantises `RMSNorm(x) * gain` to int16 and returns the row's scale. The inverse root mean square multiplies only the
/// scale, so the normalised row is never written.
#[inline(always)]
pub fn rms_norm_quantize<I: Isa, N: Dim>(
    isa: I,
    n: N,
    x: &[f32],
    gain: &[f32],
    eps: f32,
    q: &mut [i16],
) -> f32 {
    let (x, gain, q) = (&x[..n.size()], &gain[..n.size()], &mut q[..n.size()]);
    let mut sum = isa.splat(0.0);
    let mut largest = isa.splat(0.0);
    for (v, g) in lanes(x).iter().zip(lanes(gain)) {
        let v = isa.load(v);
        sum = isa.mul_add(v, v, sum);
        largest = isa.max_abs(largest, isa.mul(v, isa.load(g)));
    }
    let (scale, inverse) = scale_of(isa.max_abs_lane(largest));
    let inverse = isa.splat(inverse);
    for ((v, g), q) in lanes(x).iter().zip(lanes(gain)).zip(q.as_chunks_mut().0) {
        let y = isa.mul(isa.load(v), isa.load(g));
        isa.store_inputs(isa.round(isa.mul(y, inverse)), q);
    }
    scale * inverse_rms(isa, n.size(), sum, eps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::{Const, Dyn};
    use monomorph_simd::for_each_isa;

    const N: usize = 96;
    const EPS: f32 = 1e-6;

    fn input() -> ([f32; N], [f32; N]) {
        (
            std::array::from_fn(|i| ((i * 29) % 31) as f32 - 14.5),
            std::array::from_fn(|i| 0.5 + (i % 7) as f32 * 0.3),
        )
    }

    fn reference(x: &[f32; N], gain: &[f32; N]) -> [f64; N] {
        let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / N as f64;
        std::array::from_fn(|i| f64::from(x[i] * gain[i]) / (mean + f64::from(EPS)).sqrt())
    }

    #[test]
    fn equals_the_definition() {
        let (x, gain) = input();
        let want = reference(&x, &gain);
        for_each_isa!(|isa| {
            let mut y = [0.0; N];
            isa.vectorize(|| rms_norm(isa, Const::<N>, &x, &gain, EPS, &mut y));
            let mut y_dyn = [0.0; N];
            isa.vectorize(|| rms_norm(isa, Dyn(N), &x, &gain, EPS, &mut y_dyn));
            assert_eq!(y, y_dyn);
            let mut in_place = x;
            isa.vectorize(|| rms_norm_in_place(isa, Const::<N>, &mut in_place, &gain, EPS));
            assert_eq!(y, in_place);
            let mut sum = [1.0; N];
            isa.vectorize(|| add_rms_norm(isa, Const::<N>, &mut sum, &x, &gain, EPS));
            for i in 0..N {
                assert!((f64::from(y[i]) - want[i]).abs() < 1e-6 * (1.0 + want[i].abs()));
                assert!((f64::from(sum[i]) - 1.0 - want[i]).abs() < 1e-6 * (2.0 + want[i].abs()));
            }
        });
    }

    #[test]
    fn quantised_form_is_within_half_a_step() {
        let (x, gain) = input();
        let want = reference(&x, &gain);
        for_each_isa!(|isa| {
            let mut q = [0; N];
            let scale =
                isa.vectorize(|| rms_norm_quantize(isa, Const::<N>, &x, &gain, EPS, &mut q));
            let q: Vec<i16> = q.as_chunks().0.iter().flat_map(|q| isa.inputs(q)).collect();
            for i in 0..N {
                let got = f64::from(scale) * f64::from(q[i]);
                assert!((got - want[i]).abs() <= f64::from(scale) * 0.51);
            }
        });
    }

    #[test]
    fn a_nan_or_infinity_reaches_the_scale() {
        let (x, gain) = input();
        for_each_isa!(|isa| {
            for broken in [f32::NAN, f32::INFINITY] {
                let (mut x, mut q) = (x, [0; N]);
                x[37] = broken;
                let scale =
                    isa.vectorize(|| rms_norm_quantize(isa, Dyn(N), &x, &gain, EPS, &mut q));
                assert!(scale.is_nan());
            }
        });
    }
}
