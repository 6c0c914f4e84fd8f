//! GeGLU's gate: `gelu(gate) * up`, with gelu's tanh form.
//!
//! `0.5 g (1 + tanh z) = g / (1 + e^(-2 z))` with `z = sqrt(2 / pi) (g + 0.044715 g^3)` (Hendrycks and Gimpel 2016,
//! section 2), so one exponential and one division do it.

use super::exp::exp;
use monomorph_simd::Isa;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// `-2 sqrt(2 / pi)`
const MINUS_TWO_ROOT: f32 = -2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBIC: f32 = 0.044_715;

/// `gelu_tanh(gate) * up` for each lane.
#[inline(always)]
pub fn geglu<I: Isa>(isa: I, gate: I::F32, up: I::F32) -> I::F32 {
    let cubic = isa.mul_add(isa.mul(gate, gate), isa.splat(CUBIC), isa.splat(1.0));
    let minus_two_z = isa.mul(isa.mul(gate, cubic), isa.splat(MINUS_TWO_ROOT));
    let denominator = isa.add(isa.splat(1.0), exp(isa, minus_two_z));
    isa.mul(isa.div(gate, denominator), up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_simd::{LANES, for_each_isa};

    #[test]
    fn equals_the_tanh_form() {
        for_each_isa!(|isa| {
            let mut worst = 0.0f64;
            for i in -20_000..20_000 {
                let g = i as f32 * 1e-3;
                let mut y = [0.0; LANES];
                isa.vectorize(|| isa.store(geglu(isa, isa.splat(g), isa.splat(1.0)), &mut y));
                let g = f64::from(g);
                let z = (2.0 / std::f64::consts::PI).sqrt() * (g + 0.044715 * g * g * g);
                let want = 0.5 * g * (1.0 + z.tanh());
                worst = worst.max((f64::from(y[0]) - want).abs() / (1.0 + want.abs()));
            }
            println!("worst error {worst:.1e}");
            assert!(worst < 5e-7, "{worst}");
        });
    }

    #[test]
    fn large_and_broken_gates() {
        for_each_isa!(|isa| {
            let mut y = [0.0; LANES];
            isa.vectorize(|| isa.store(geglu(isa, isa.splat(1e6), isa.splat(2.0)), &mut y));
            assert_eq!(y[0], 2e6);
            isa.vectorize(|| isa.store(geglu(isa, isa.splat(f32::NAN), isa.splat(2.0)), &mut y));
            assert!(y.iter().all(|y| y.is_nan()));
        });
    }
}
