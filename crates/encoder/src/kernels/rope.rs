//! RoPE with half-split pairs: `(x[j], x[j + d/2])` is rotated by `position * base^(-2 j / d)` (Su et al. 2021; the
//! pairing of GPT-NeoX). The sines and cosines come from a table made at build time.

use super::{lanes, lanes_mut};
use crate::dim::Dim;
use monomorph_simd::Isa;

/// Rotates one head `x` of `d` floats in place and multiplies it by `scale`. `cos` and `sin` hold the `d / 2` values
/// of the row's position.
#[inline(always)]
pub fn rope<I: Isa, D: Dim>(isa: I, d: D, x: &mut [f32], cos: &[f32], sin: &[f32], scale: f32) {
    let half = d.size() / 2;
    let (low, high) = x[..d.size()].split_at_mut(half);
    let scale = isa.splat(scale);
    let pairs = lanes_mut(low).iter_mut().zip(lanes_mut(high));
    for ((low, high), (cos, sin)) in pairs.zip(lanes(&cos[..half]).iter().zip(lanes(&sin[..half])))
    {
        let (a, b) = (isa.mul(isa.load(low), scale), isa.mul(isa.load(high), scale));
        let (cos, sin) = (isa.load(cos), isa.load(sin));
        isa.store(isa.sub(isa.mul(a, cos), isa.mul(b, sin)), low);
        isa.store(isa.mul_add(b, cos, isa.mul(a, sin)), high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::{Const, Dyn};
    use monomorph_simd::for_each_isa;

    #[test]
    fn turns_each_pair_by_its_angle() {
        const D: usize = 64;
        let x: [f32; D] = std::array::from_fn(|i| i as f32 * 0.5 - 9.0);
        let angle = |j: usize| 5.0 * 10_000f64.powf(-2.0 * j as f64 / D as f64);
        let cos: [f32; D / 2] = std::array::from_fn(|j| angle(j).cos() as f32);
        let sin: [f32; D / 2] = std::array::from_fn(|j| angle(j).sin() as f32);
        for_each_isa!(|isa| {
            let (mut y, mut y_dyn) = (x, x);
            isa.vectorize(|| rope(isa, Const::<D>, &mut y, &cos, &sin, 0.25));
            isa.vectorize(|| rope(isa, Dyn(D), &mut y_dyn, &cos, &sin, 0.25));
            assert_eq!(y, y_dyn);
            for j in 0..D / 2 {
                let (a, b) = (f64::from(x[j]) / 4.0, f64::from(x[j + D / 2]) / 4.0);
                let (s, c) = angle(j).sin_cos();
                assert!((f64::from(y[j]) - (a * c - b * s)).abs() < 1e-5);
                assert!((f64::from(y[j + D / 2]) - (a * s + b * c)).abs() < 1e-5);
            }
        });
    }
}
