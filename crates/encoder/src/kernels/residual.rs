//! Adds a branch to the residual stream, and scales a row.

use super::{lanes, lanes_mut};
use crate::dim::Dim;
use monomorph_simd::Isa;

/// `x += branch`, for rows of `n` floats.
#[inline(always)]
pub fn add<I: Isa, N: Dim>(isa: I, n: N, x: &mut [f32], branch: &[f32]) {
    for (x, b) in lanes_mut(&mut x[..n.size()]).iter_mut().zip(lanes(&branch[..n.size()])) {
        isa.store(isa.add(isa.load(x), isa.load(b)), x);
    }
}

/// `x *= factor`, for a row of `n` floats.
#[inline(always)]
pub fn scale<I: Isa, N: Dim>(isa: I, n: N, x: &mut [f32], factor: f32) {
    let factor = isa.splat(factor);
    for x in lanes_mut(&mut x[..n.size()]) {
        isa.store(isa.mul(isa.load(x), factor), x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::{Const, Dyn};
    use monomorph_simd::for_each_isa;

    #[test]
    fn each_value_for_itself() {
        let x: [f32; 32] = std::array::from_fn(|i| i as f32 - 7.5);
        let branch: [f32; 32] = std::array::from_fn(|i| (i * i) as f32 * 0.1);
        for_each_isa!(|isa| {
            let (mut sum, mut scaled) = (x, x);
            isa.vectorize(|| add(isa, Const::<32>, &mut sum, &branch));
            isa.vectorize(|| scale(isa, Dyn(32), &mut scaled, 0.125));
            for i in 0..32 {
                assert_eq!((sum[i], scaled[i]), (x[i] + branch[i], x[i] * 0.125));
            }
        });
    }
}
