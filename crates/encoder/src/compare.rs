//! Dot products of many vectors with many others: the float kernel of the weights, with vectors in their place.
//!
//! Sums are float32, in the order of `k`, with the same bits on every instruction set. Whoever needs them exactly uses
//! them to find what is worth computing in float64: a product of two vectors of length one is off by at most
//! [`error_bound`].

use crate::dim::Dyn;
use crate::kernels::columns::ColumnsMut;
use crate::kernels::matmul::{Rows, matmul};
use crate::kernels::matrix::{Matrix, PanelScratch};
use monomorph_gguf::TensorType;
use monomorph_quant::{BLOCK, Line, Types, panel_kind, repack};
use monomorph_simd::{Isa, PANEL, with_every_isa};

/// Vectors of `k` values, as many as they are, with zeros up to whole blocks and panels.
pub struct Panels {
    lines: Vec<Line>,
    /// Vectors, a multiple of [`PANEL`] with those that are all zeros.
    n: usize,
}

/// The products for an instruction set.
pub trait Compare: Send + Sync {
    /// The right side of [`products`](Compare::products): `vectors` are n x [`padded`] values, with `n` a multiple of
    /// [`PANEL`].
    fn panels(&self, padded: usize, vectors: &[f32]) -> Panels;

    /// Sets `out` (m x n) to the products of `left` (m x [`padded`]) with each vector of `right`.
    fn products(&self, padded: usize, left: &[f32], right: &Panels, out: &mut Vec<f32>);
}

/// The products for the instruction set of this name; `None` if this CPU or this version does not support it.
pub fn compare(isa: &str) -> Option<Box<dyn Compare>> {
    macro_rules! try_isa {
        ($isa:ty,) => {
            if isa == <$isa>::NAME {
                return <$isa>::detect().map(|isa| Box::new(Floats(isa)) as Box<dyn Compare>);
            }
        };
    }
    with_every_isa!(try_isa!());
    None
}

/// Values per vector with the zeros that fill up its last block.
pub fn padded(k: usize) -> usize {
    k.next_multiple_of(BLOCK)
}

/// Vectors with those that fill up the last panel.
pub fn whole_panels(n: usize) -> usize {
    n.next_multiple_of(PANEL)
}

/// By how much a product of two vectors of `k` values, each of length one, may be off: twice the bound of Higham's
/// *Accuracy and Stability of Numerical Algorithms*, section 3.1, for a sum in order, which leaves room for some more
/// roundings of the product.
pub fn error_bound(k: usize) -> f64 {
    (k + 8) as f64 * f64::from(f32::EPSILON)
}

struct Floats<I>(I);

struct OnlyF32;

impl Types for OnlyF32 {
    const TYPES: &'static [TensorType] = &[TensorType::F32];
}

impl<I: Isa> Compare for Floats<I> {
    fn panels(&self, padded: usize, vectors: &[f32]) -> Panels {
        let n = vectors.len() / padded;
        assert!(n.is_multiple_of(PANEL) && vectors.len() == n * padded, "not whole panels");
        let lines = n / PANEL * (padded / BLOCK) * panel_kind(TensorType::F32).block_lines();
        let mut panels = Panels { lines: vec![bytemuck::Zeroable::zeroed(); lines], n };
        let bytes = bytemuck::cast_slice(vectors);
        repack(self.0, TensorType::F32, padded / BLOCK, bytes, 0, &mut panels.lines);
        panels
    }

    fn products(&self, padded: usize, left: &[f32], right: &Panels, out: &mut Vec<f32>) {
        let m = left.len() / padded;
        out.resize(m * right.n, 0.0);
        let floats = bytemuck::cast_slice(left);
        let rows = Rows { m, ints: &[], scales: &[], sums: &[], floats };
        let matrix = Matrix::panels(TensorType::F32, &right.lines);
        let mut columns = ColumnsMut::new(out, right.n);
        let scratch = &mut PanelScratch::default();
        matmul::<I, _, OnlyF32>(self.0, Dyn(padded), rows, matrix, 0, scratch, &mut columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_simd::available;
    use monomorph_testing::Random;

    /// The bound holds for vectors of length one, and every instruction set gives the same bits.
    #[test]
    fn products_are_near_those_of_float64() {
        let mut random = Random(7);
        for (k, m, n) in [(1, 1, 1), (32, 3, 16), (100, 13, 40), (768, 30, 33)] {
            let padded = padded(k);
            let mut vectors = |count: usize, whole: usize| {
                let mut all = vec![0.0; whole * padded];
                for vector in all.chunks_mut(padded).take(count) {
                    let values: Vec<f64> =
                        (0..k).map(|_| random.below(2001) as f64 - 1000.0).collect();
                    let norm = values.iter().map(|x| x * x).sum::<f64>().sqrt().max(1.0);
                    vector.iter_mut().zip(values).for_each(|(to, x)| *to = (x / norm) as f32);
                }
                all
            };
            let (left, right) = (vectors(m, m), vectors(n, whole_panels(n)));
            let mut first: Option<Vec<f32>> = None;
            for isa in available() {
                let compare = compare(isa).expect("this CPU has it");
                let mut out = Vec::new();
                let panels = compare.panels(padded, &right);
                compare.products(padded, &left, &panels, &mut out);
                assert_eq!(out.len(), m * whole_panels(n));
                for (i, got) in out.iter().enumerate() {
                    let (a, b) = (i / whole_panels(n) * padded, i % whole_panels(n) * padded);
                    let terms = left[a..][..padded].iter().zip(&right[b..][..padded]);
                    let want: f64 = terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    assert!((f64::from(*got) - want).abs() <= error_bound(k), "{isa}, {k}, {i}");
                }
                assert!(first.get_or_insert_with(|| out.clone()) == &out, "{isa}");
            }
        }
        assert!(compare("none").is_none());
    }
}
