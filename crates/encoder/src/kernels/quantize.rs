//! Activations as int16 with one scale per row: `x[i] = scale * q[i]`, `|q[i]| <= 32767`.

use super::lanes;
use super::tile::BlockSums;
use crate::dim::Dim;
use monomorph_quant::BLOCK;
use monomorph_simd::Isa;

/// The largest quantised magnitude.
const MAX: f32 = 32767.0;
/// Rows whose largest magnitude is below this become zero, so that `MAX / largest` is finite.
const SMALLEST: f32 = 1e-30;

/// Quantises a row of `n` floats, in the form that the instruction set multiplies, and returns its scale, which is NaN or infinite if the row contains such a value.
#[inline(always)]
pub fn quantize<I: Isa, N: Dim>(isa: I, n: N, x: &[f32], q: &mut [i16]) -> f32 {
    let x = &x[..n.size()];
    let mut largest = isa.splat(0.0);
    for v in lanes(x) {
        largest = isa.max_abs(largest, isa.load(v));
    }
    let (scale, inverse) = scale_of(isa.max_abs_lane(largest));
    let inverse = isa.splat(inverse);
    for (v, q) in lanes(x).iter().zip(q.as_chunks_mut().0) {
        isa.store_inputs(isa.round(isa.mul(isa.load(v), inverse)), q);
    }
    scale
}

/// Sums the inputs of each block of a quantised row.
#[inline(always)]
pub fn block_sums<I: Isa>(isa: I, q: &[i16], to: &mut [BlockSums]) {
    for (q, to) in q.as_chunks::<{ BLOCK / 2 }>().0.as_chunks::<2>().0.iter().zip(to) {
        let [first, last] =
            q.each_ref().map(|half| isa.inputs(half).iter().map(|q| i32::from(*q)).sum::<i32>());
        *to = BlockSums { whole: (first + last) as f32, halves: [first as f32, last as f32] };
    }
}

/// `(scale, 1 / scale)` of a row with this largest magnitude.
#[inline(always)]
pub(super) fn scale_of(largest: f32) -> (f32, f32) {
    if (SMALLEST..f32::INFINITY).contains(&largest) {
        (largest / MAX, MAX / largest)
    } else {
        (largest, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::{Const, Dyn};
    use monomorph_simd::for_each_isa;

    #[test]
    fn error_is_half_a_step() {
        let x: [f32; 96] = std::array::from_fn(|i| ((i * 61) % 97) as f32 * 0.37 - 16.0);
        for_each_isa!(|isa| {
            let mut q = [0i16; 96];
            let scale = isa.vectorize(|| quantize(isa, Const::<96>, &x, &mut q));
            let mut q_dyn = [0i16; 96];
            let scale_dyn = isa.vectorize(|| quantize(isa, Dyn(96), &x, &mut q_dyn));
            assert_eq!((scale, q), (scale_dyn, q_dyn));
            let q: Vec<i16> = q.as_chunks().0.iter().flat_map(|q| isa.inputs(q)).collect();
            assert_eq!(q.iter().map(|q| q.unsigned_abs()).max(), Some(32767));
            for (q, x) in q.iter().zip(x) {
                assert!((scale * f32::from(*q) - x).abs() <= scale * 0.501);
            }
        });
    }

    #[test]
    fn zeros_tiny_and_broken_rows() {
        for_each_isa!(|isa| {
            let mut q = [1i16; 16];
            assert_eq!(isa.vectorize(|| quantize(isa, Dyn(16), &[0.0; 16], &mut q)), 0.0);
            assert_eq!(isa.inputs(&q), [0; 16]);
            let tiny = isa.vectorize(|| quantize(isa, Dyn(16), &[1e-40; 16], &mut q));
            assert!(tiny < 1e-30 && isa.inputs(&q) == [0; 16]);
            for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in 0..16 {
                    let mut x = [3.0; 16];
                    x[at] = broken;
                    let scale = isa.vectorize(|| quantize(isa, Dyn(16), &x, &mut q));
                    assert!(!scale.is_finite());
                }
            }
        });
    }
}
