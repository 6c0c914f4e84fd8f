//! Softmax down columns, without the division: `x[i] = e^(x[i] - max x)`.
//!
//! The sums are returned instead, and a head's outputs are divided by them: a long text has no more outputs than a
//! short one, but a weight for every key.

use super::exp::exp;
use monomorph_simd::{Isa, LANES};

/// Replaces the scores in each column by weights and returns the sums of the weights. A score of minus infinity gets
/// weight zero, so rows of them do not change any other bit. Every column whose result matters needs a finite score.
#[inline(always)]
pub fn softmax_columns<I: Isa>(isa: I, x: &mut [[f32; LANES]]) -> [f32; LANES] {
    // Four running maxima hide the latency of one; the order of the comparisons does not matter.
    let mut max = [isa.splat(f32::NEG_INFINITY); 4];
    let (fours, rest) = x.as_chunks::<4>();
    for four in fours {
        for i in 0..4 {
            max[i] = isa.max(max[i], isa.load(&four[i]));
        }
    }
    for row in rest {
        max[0] = isa.max(max[0], isa.load(row));
    }
    let max = isa.max(isa.max(max[0], max[1]), isa.max(max[2], max[3]));
    let mut sum = isa.splat(0.0);
    for row in x {
        let e = exp(isa, isa.sub(isa.load(row), max));
        isa.store(e, row);
        sum = isa.add(sum, e);
    }
    let mut sums = [0.0; LANES];
    isa.store(sum, &mut sums);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_simd::for_each_isa;

    fn scores(n: usize) -> Vec<[f32; LANES]> {
        let score = |i: usize, lane: usize| ((i * 37 + lane * 11) % 41) as f32 * 0.7 - 9.0;
        (0..n).map(|i| std::array::from_fn(|lane| score(i, lane))).collect()
    }

    #[test]
    fn equals_the_definition_and_ignores_padding() {
        for_each_isa!(|isa| {
            for n in [1, 3, 4, 5, 17, 200] {
                let scores = scores(n);
                let mut x = scores.clone();
                let sums = isa.vectorize(|| softmax_columns(isa, &mut x));
                let padding = vec![[f32::NEG_INFINITY; LANES]; 5];
                let mut padded = [padding.clone(), scores.clone(), padding].concat();
                assert_eq!(sums, isa.vectorize(|| softmax_columns(isa, &mut padded)));
                assert_eq!(padded[5..5 + n], x[..]);
                assert_eq!(padded[0], [0.0; LANES]);
                for lane in 0..LANES {
                    let max = scores.iter().map(|row| row[lane]).fold(f32::MIN, f32::max);
                    let weight = |row: &[f32; LANES]| f64::from(row[lane] - max).exp();
                    let total: f64 = scores.iter().map(weight).sum();
                    for (got, row) in x.iter().zip(&scores) {
                        let want = weight(row) / total;
                        let got = f64::from(got[lane] / sums[lane]);
                        assert!((got - want).abs() < 1e-6 * want + 1e-12);
                    }
                }
            }
        });
    }

    #[test]
    fn a_nan_reaches_its_sum() {
        for_each_isa!(|isa| {
            for at in 0..9 {
                let mut x = scores(9);
                x[at][3] = f32::NAN;
                let sums = isa.vectorize(|| softmax_columns(isa, &mut x));
                assert!(sums[3].is_nan() && sums[2].is_finite());
            }
        });
    }
}
