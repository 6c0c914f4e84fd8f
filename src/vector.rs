//! What happens to a vector last: the Matryoshka cut and the L2 norm.

/// Cuts the vector to its first `dimensions` values (Kusupati et al. 2022) and, if asked, scales it to length one.
/// `None` if the vector is not finite, or zero where it has to be scaled.
pub fn finish(mut vector: Vec<f32>, dimensions: usize, normalize: bool) -> Option<Vec<f32>> {
    vector.truncate(dimensions);
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

/// The L2 norm. Float64 and one order: the same bits everywhere.
fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::finish;

    #[test]
    fn cuts_then_normalises() {
        assert_eq!(finish(vec![3.0, 4.0, 100.0], 2, true), Some(vec![0.6, 0.8]));
        assert_eq!(finish(vec![3.0, 4.0, 100.0], 3, false), Some(vec![3.0, 4.0, 100.0]));
    }

    #[test]
    fn refuses_what_is_not_a_direction() {
        assert_eq!(finish(vec![0.0, 0.0], 2, true), None);
        assert_eq!(finish(vec![1.0, f32::NAN], 2, false), None);
        assert_eq!(finish(vec![f32::INFINITY, 1.0], 2, true), None);
        assert!(finish(vec![3e38, 3e38], 2, true).is_some());
    }
}
