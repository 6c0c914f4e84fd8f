//! Softmax, without its division: `x[i] = e^(x[i] - max x)`.
//!
//! The sum is returned instead: dividing the head's 256 outputs is cheaper than dividing every weight.

use super::exp::exp;
use super::lanes_mut;
use crate::isa::Isa;

/// Replaces scores by weights and returns the weights' sum. Entries of minus infinity get weight zero, so padding
/// with them changes no bit. The length must be a multiple of 16, with at least one finite score.
#[inline(always)]
pub fn softmax<I: Isa>(isa: I, x: &mut [f32]) -> f32 {
    let x = lanes_mut(x);
    let mut max = isa.splat(f32::NEG_INFINITY);
    for v in x.iter() {
        max = isa.max(max, isa.load(v));
    }
    let max = isa.splat(isa.max_lane(max));
    let mut sum = isa.splat(0.0);
    for v in x.iter_mut() {
        let e = exp(isa, isa.sub(isa.load(v), max));
        isa.store(e, v);
        sum = isa.add(sum, e);
    }
    isa.sum(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::for_each_isa;

    #[test]
    fn equals_the_definition_and_ignores_padding() {
        for_each_isa!(|isa| {
            for n in [1usize, 15, 16, 17, 33, 200] {
                let scores: Vec<f32> = (0..n).map(|i| ((i * 37) % 41) as f32 * 0.7 - 9.0).collect();
                let mut x = scores.clone();
                x.resize(n.next_multiple_of(16), f32::NEG_INFINITY);
                let sum = isa.vectorize(|| softmax(isa, &mut x));
                let mut padded = scores.clone();
                padded.resize(n.next_multiple_of(16) + 48, f32::NEG_INFINITY);
                assert_eq!(sum, isa.vectorize(|| softmax(isa, &mut padded)));

                let max = scores.iter().cloned().fold(f32::MIN, f32::max);
                let total: f64 = scores.iter().map(|s| f64::from(s - max).exp()).sum();
                for (got, s) in x.iter().zip(&scores) {
                    let want = f64::from(s - max).exp() / total;
                    assert!((f64::from(got / sum) - want).abs() < 1e-6 * want + 1e-12);
                }
                assert!(x[n..].iter().all(|w| *w == 0.0));
            }
        });
    }

    #[test]
    fn a_nan_reaches_the_sum() {
        for_each_isa!(|isa| {
            for at in 0..32 {
                let mut x = [1.0; 32];
                x[at] = f32::NAN;
                assert!(isa.vectorize(|| softmax(isa, &mut x)).is_nan());
            }
        });
    }
}
