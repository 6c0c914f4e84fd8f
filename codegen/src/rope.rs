//! RoPE's tables: for each position, the cosines and then the sines of its angles.
//!
//! They are computed during the build, in float64 with the functions of the `libm` crate. Builds on every platform
//! therefore write the same bits, and the program need not compute them at each start.

use monomorph_spec::{Rope, Spec};

/// A table of n_ctx x 2 x (head_dim / 2) floats for one frequency base, with positions divided by `divisor`.
///
/// The angle of pair `j` at a position is `position * base^(-2 j / head_dim) / divisor`. As in the original model, the
/// frequency and the angle are rounded to float32 before their sine and cosine are taken.
pub fn table(n_ctx: usize, head_dim: usize, base: f32, divisor: f32) -> Vec<f32> {
    let half = head_dim / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|j| {
            let exponent = (2 * j) as f32 / head_dim as f32;
            1.0 / (libm::pow(f64::from(base), f64::from(exponent)) as f32) / divisor
        })
        .collect();
    let mut table = Vec::with_capacity(n_ctx * head_dim);
    for position in 0..n_ctx {
        let angles = frequencies.iter().map(|f| f64::from(position as f32 * f));
        table.extend(angles.clone().map(|angle| libm::cos(angle) as f32));
        table.extend(angles.map(|angle| libm::sin(angle) as f32));
    }
    table
}

/// The tables of a model, one for each of [`Spec::ropes`].
pub fn of_model(spec: &Spec) -> Vec<Vec<f32>> {
    let table = |rope: &Rope| table(spec.n_ctx, rope.head_dim, rope.base, rope.divisor);
    spec.ropes.iter().map(table).collect()
}

/// [`of_model`] as little-endian bytes.
pub fn bytes(spec: &Spec) -> Vec<u8> {
    of_model(spec).concat().iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn holds_cosines_then_sines_of_each_position() {
        assert_eq!(table(9, 4, 10_000.0, 4.0)[32..], table(3, 4, 10_000.0, 1.0)[8..]);
        let table = table(3, 4, 10_000.0, 1.0);
        assert_eq!(table[..4], [1.0, 1.0, 0.0, 0.0]);
        let want = [2f32.cos(), 0.02f32.cos(), 2f32.sin(), 0.02f32.sin()];
        for (got, want) in table[8..].iter().zip(want) {
            assert!((got - want).abs() < 1e-7);
        }
    }
}
