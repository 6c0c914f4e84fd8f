//! LayerNorm: `y = (x - mean) / sqrt(var + eps) * gain + bias` (Ba et al. 2016).
//!
//! The mean is computed first, and then the squares of the differences from it. Where activations reach hundreds, as they
//! do in some models, subtracting the squared mean from the mean of squares would lose most digits.

use super::{lanes, lanes_mut};
use crate::dim::Dim;
use monomorph_simd::Isa;

/// `x = LayerNorm(x) * gain + bias`; all rows are `n` long.
#[inline(always)]
pub fn layer_norm_in_place<I: Isa, N: Dim>(
    isa: I,
    n: N,
    x: &mut [f32],
    gain: &[f32],
    bias: Option<&[f32]>,
    eps: f32,
) {
    let (x, gain, width) = (&mut x[..n.size()], &gain[..n.size()], n.size() as f32);
    let mut sum = isa.splat(0.0);
    for v in lanes(x) {
        sum = isa.add(sum, isa.load(v));
    }
    let mean = isa.splat(isa.sum(sum) / width);
    let mut squares = isa.splat(0.0);
    for v in lanes(x) {
        let d = isa.sub(isa.load(v), mean);
        squares = isa.mul_add(d, d, squares);
    }
    let scale = isa.splat(1.0 / (isa.sum(squares) / width + eps).sqrt());
    let normed = |v: &[f32; 16], g: &[f32; 16]| {
        isa.mul(isa.mul(isa.sub(isa.load(v), mean), scale), isa.load(g))
    };
    match bias {
        None => {
            for (v, g) in lanes_mut(x).iter_mut().zip(lanes(gain)) {
                isa.store(normed(v, g), v);
            }
        }
        Some(bias) => {
            let parameters = lanes(gain).iter().zip(lanes(&bias[..n.size()]));
            for (v, (g, b)) in lanes_mut(x).iter_mut().zip(parameters) {
                isa.store(isa.add(normed(v, g), isa.load(b)), v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::{Const, Dyn};
    use monomorph_simd::for_each_isa;

    const N: usize = 96;
    const EPS: f32 = 1e-5;

    /// Values around `middle`.
    fn input(middle: f32) -> [f32; N] {
        std::array::from_fn(|i| ((i * 29) % 31) as f32 * 0.1 - 1.5 + middle)
    }

    #[test]
    fn equals_the_definition_also_far_from_zero() {
        let gain: [f32; N] = std::array::from_fn(|i| 0.5 + (i % 7) as f32 * 0.3);
        let bias: [f32; N] = std::array::from_fn(|i| (i % 5) as f32 * 0.2 - 0.4);
        for_each_isa!(|isa| {
            for (middle, tolerance) in [(0.0, 1e-6), (500.0, 2e-4)] {
                for bias in [None, Some(&bias[..])] {
                    let x = input(middle);
                    let (mut y, mut y_dyn) = (x, x);
                    isa.vectorize(|| {
                        layer_norm_in_place(isa, Const::<N>, &mut y, &gain, bias, EPS)
                    });
                    isa.vectorize(|| {
                        layer_norm_in_place(isa, Dyn(N), &mut y_dyn, &gain, bias, EPS)
                    });
                    assert_eq!(y, y_dyn);
                    let mean = x.iter().map(|x| f64::from(*x)).sum::<f64>() / N as f64;
                    let var =
                        x.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / N as f64;
                    for i in 0..N {
                        let normed = (f64::from(x[i]) - mean) / (var + f64::from(EPS)).sqrt();
                        let want = normed * f64::from(gain[i])
                            + bias.map_or(0.0, |bias| f64::from(bias[i]));
                        assert!((f64::from(y[i]) - want).abs() < tolerance * (1.0 + want.abs()));
                    }
                }
            }
        });
    }

    #[test]
    fn a_nan_reaches_every_value() {
        for_each_isa!(|isa| {
            let mut x = input(0.0);
            x[37] = f32::NAN;
            isa.vectorize(|| layer_norm_in_place(isa, Dyn(N), &mut x, &[1.0; N], None, EPS));
            assert!(x.iter().all(|x| x.is_nan()));
        });
    }
}
