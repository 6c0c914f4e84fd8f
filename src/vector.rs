//! The last steps of a vector, the Matryoshka cut and the L2 norm; and the cosine of two vectors.

use monomorph_spec::Shortening;

/// Makes the vector shorter if fewer `dimensions` are asked for than it has and, if asked, scales it to length one.
/// `None` if the vector is not finite, or if it is zero and has to be scaled.
pub fn finish(
    mut vector: Vec<f32>,
    dimensions: usize,
    shortening: Shortening,
    normalize: bool,
) -> Option<Vec<f32>> {
    if dimensions < vector.len() {
        if shortening == Shortening::LayerNormAndCut {
            layer_norm(&mut vector);
        }
        vector.truncate(dimensions);
    }
    if vector.iter().any(|x| !x.is_finite()) {
        return None;
    }
    if normalize {
        let norm = norm(&vector);
        if !(norm > 0.0 && norm.is_finite()) {
            return None;
        }
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    }
    Some(vector)
}

/// LayerNorm without gain and bias.
fn layer_norm(vector: &mut [f32]) {
    const EPSILON: f64 = 1e-5;
    let n = vector.len() as f64;
    let mean = vector.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let squares = vector.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
    let scale = 1.0 / (squares / n + EPSILON).sqrt();
    vector.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) * scale) as f32);
}

/// The L2 norm. Float64 and one order: the same bits everywhere.
fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// The cosine similarity of two vectors: 1 for the same direction, 0 for orthogonal vectors or if one is zero. They
/// need not be normalised. If one has more values than the other, the surplus is ignored.
///
/// ```
/// assert_eq!(monomorph::cosine(&[3.0, 4.0], &[6.0, 8.0]), 1.0);
/// assert_eq!(monomorph::cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
/// ```
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let sums = [dot(a, a), dot(b, b), dot(a, b)];
    // Squares of very large or small values leave the range of float32.
    let [aa, bb, ab] = match sums[0].is_normal() && sums[1].is_normal() {
        true => sums.map(f64::from),
        false => [(a, a), (b, b), (a, b)]
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()),
    };
    // The product of two float32 is exact in float64: the cosine of a vector with itself is 1.
    let norms = aa * bb;
    if norms > 0.0 { (ab / norms.sqrt()) as f32 } else { 0.0 }
}

/// Sixteen partial sums, which the compiler keeps in vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<16>();
    let (b, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::cosine;
    use monomorph_spec::Shortening;

    fn finish(vector: Vec<f32>, dimensions: usize, normalize: bool) -> Option<Vec<f32>> {
        super::finish(vector, dimensions, Shortening::Cut, normalize)
    }

    #[test]
    fn cosines_are_those_of_float64() {
        for n in [1, 15, 16, 17, 128, 768] {
            let a: Vec<f32> = (0..n).map(|i| ((i * 37 + 1) % 101) as f32 - 50.0).collect();
            let b: Vec<f32> = (0..n).map(|i| ((i * 53 + 7) % 97) as f32 - 48.0).collect();
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let expected = dot(&a, &b) / dot(&a, &a).sqrt() / dot(&b, &b).sqrt();
            assert!((f64::from(cosine(&a, &b)) - expected).abs() < 1e-5, "{n}");
            assert_eq!(cosine(&a, &a), 1.0);
        }
        assert_eq!(cosine(&[1.0], &[0.0]), 0.0);
        for size in [1e20, 1e-23, 1e-40] {
            assert_eq!(cosine(&[size, 2.0 * size], &[size, 2.0 * size]), 1.0);
            assert_eq!(cosine(&[size, 0.0], &[0.0, 1.0]), 0.0);
        }
        assert_eq!(cosine(&[], &[1.0]), 0.0);
    }

    #[test]
    fn cuts_then_normalises() {
        assert_eq!(finish(vec![3.0, 4.0, 100.0], 2, true), Some(vec![0.6, 0.8]));
        assert_eq!(finish(vec![3.0, 4.0, 100.0], 3, false), Some(vec![3.0, 4.0, 100.0]));
    }

    /// Only a vector that is cut is normalised first.
    #[test]
    fn normalises_before_cutting_where_the_model_was_trained_so() {
        let finish = |dimensions| {
            let vector = vec![1.0, 2.0, 3.0, 6.0];
            super::finish(vector, dimensions, Shortening::LayerNormAndCut, false)
        };
        assert_eq!(finish(4), Some(vec![1.0, 2.0, 3.0, 6.0]));
        // The mean is 3, the variance 3.5.
        let scale = 1.0 / (3.5f64 + 1e-5).sqrt();
        assert_eq!(finish(2), Some(vec![(-2.0 * scale) as f32, (-scale) as f32]));
    }

    #[test]
    fn refuses_what_is_not_a_direction() {
        assert_eq!(finish(vec![0.0, 0.0], 2, true), None);
        assert_eq!(finish(vec![1.0, f32::NAN], 2, false), None);
        assert_eq!(finish(vec![f32::INFINITY, 1.0], 2, true), None);
        assert!(finish(vec![3e38, 3e38], 2, true).is_some());
    }
}
