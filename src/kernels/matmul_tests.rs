//! The products against plain loops over decoded weights.

use super::*;
use crate::dim::{Const, Dyn};
use crate::isa::for_each_isa;
use crate::kernels::quantize::quantize;
use crate::kernels::unpack::unpack_panels;
use crate::quant::{F32, Format, Q8_0, decode_row};

const K: usize = 96;
const N: usize = 112;

/// A deterministic value in -1..1.
fn noise(i: usize) -> f32 {
    let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    mixed as f32 / (1 << 23) as f32 - 1.0
}

fn q8_0_weights(seed: usize) -> Vec<<Q8_0 as Format>::Block> {
    let bytes: Vec<u8> = (0..N * K / BLOCK)
        .flat_map(|b| {
            let scale = half::f16::from_f32(0.002 + 0.001 * noise(seed + b)).to_le_bytes();
            let weights = (0..BLOCK).map(move |i| (127.0 * noise(seed + 32 * b + i)) as i8 as u8);
            scale.into_iter().chain(weights)
        })
        .collect();
    bytemuck::cast_slice(&bytes).to_vec()
}

fn f32_weights() -> Vec<<F32 as Format>::Block> {
    let floats: Vec<[u8; 4]> = (0..N * K).map(|i| noise(i).to_le_bytes()).collect();
    bytemuck::cast_slice(&floats).to_vec()
}

/// Rows in both forms.
struct Input {
    floats: Vec<f32>,
    ints: Vec<i16>,
    scales: Vec<f32>,
}

impl Input {
    fn new(m: usize) -> Input {
        let floats: Vec<f32> = (0..m * K).map(|i| 3.0 * noise(i + 77)).collect();
        let mut ints = vec![0; m * K];
        let rows = floats.chunks(K).zip(ints.chunks_mut(K));
        let scales =
            rows.map(|(x, q)| quantize(crate::isa::Scalar::detect().unwrap(), Dyn(K), x, q));
        Input { scales: scales.collect(), ints, floats }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            m: self.scales.len(),
            ints: bytemuck::cast_slice(&self.ints),
            scales: &self.scales,
            floats: bytemuck::cast_slice(&self.floats),
        }
    }
}

/// The product in float64 from decoded weights, and the sum of its terms' magnitudes.
fn reference<F: Format>(input: &Input, weights: &[F::Block], r: usize, c: usize) -> (f64, f64) {
    let mut row = [0.0; K];
    decode_row::<F>(&weights[c * K / BLOCK..(c + 1) * K / BLOCK], &mut row);
    let terms = row.iter().zip(&input.floats[r * K..]).map(|(w, x)| f64::from(*w) * f64::from(*x));
    terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
}

fn run<I: Isa, D: Dim>(isa: I, k: D, input: &Input, weights: Matrix<'_>, cut: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; input.scales.len() * N];
    let (mut left, mut right) = ColumnsMut::new(&mut out, N).split_at(cut * PANEL);
    let scratch = &mut PanelScratch::default();
    matmul(isa, k, input.rows(), weights, 0, scratch, &mut left);
    matmul(isa, k, input.rows(), weights, cut, scratch, &mut right);
    out
}

/// Every tile height, instruction set, kind of dimension and cut: close to the reference, equal to each other.
fn check<F: Format>(weights: &[F::Block], matrix: Matrix<'_>, tolerance: f64) {
    for m in [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 29] {
        let input = Input::new(m);
        let want = run(crate::isa::Scalar::detect().unwrap(), Dyn(K), &input, matrix, 0);
        for (i, got) in want.iter().enumerate() {
            let (sum, size) = reference::<F>(&input, weights, i / N, i % N);
            assert!((f64::from(*got) - sum).abs() <= tolerance * size, "{got} {sum} at {i}");
        }
        for_each_isa!(|isa| {
            for cut in [0, 1, 3, 7] {
                assert!(run(isa, Const::<K>, &input, matrix, cut) == want, "m {m}, cut {cut}");
                assert!(run(isa, Dyn(K), &input, matrix, cut) == want, "m {m}, cut {cut}");
            }
        });
    }
}

#[test]
fn q8_0_equals_plain_loops() {
    let weights = q8_0_weights(0);
    check::<Q8_0>(&weights, Matrix::Q8_0(&weights), 4e-5);
}

#[test]
fn f32_equals_plain_loops() {
    let weights = f32_weights();
    check::<F32>(&weights, Matrix::F32(&weights), 1e-6);
}

#[test]
fn kept_panels_give_the_same_bits() {
    let weights = q8_0_weights(5);
    let input = Input::new(9);
    for_each_isa!(|isa| {
        let mut panels = vec![bytemuck::Zeroable::zeroed(); N / PANEL * K / BLOCK];
        isa.vectorize(|| unpack_panels::<_, Q8_0>(isa, K / BLOCK, &weights, 0, &mut panels));
        let kept = run(isa, Const::<K>, &input, Matrix::IntPanels(&panels), 2);
        assert!(kept == run(isa, Const::<K>, &input, Matrix::Q8_0(&weights), 2));
    });
}

#[test]
fn geglu_equals_two_products() {
    let (q8_0, f32) = (q8_0_weights(0), f32_weights());
    let (ints, floats) = (Matrix::Q8_0(&q8_0), Matrix::F32(&f32));
    let other = q8_0_weights(3);
    let other_ints = Matrix::Q8_0(&other);
    for (gate, up) in [(ints, other_ints), (floats, floats), (ints, floats), (floats, ints)] {
        for m in [1, 8, 13, 29] {
            let input = Input::new(m);
            for_each_isa!(|isa| {
                let gates = run(isa, Dyn(K), &input, gate, 0);
                let ups = run(isa, Dyn(K), &input, up, 0);
                let mut out = vec![0.0; gates.len()];
                let scratch = &mut PanelScratch::default();
                let columns = &mut ColumnsMut::new(&mut out, N);
                matmul_geglu(isa, Const::<K>, input.rows(), gate, up, 0, scratch, columns);
                for ((got, g), u) in out.iter().zip(gates).zip(ups) {
                    let mut want = [0.0; PANEL];
                    isa.vectorize(|| isa.store(geglu(isa, isa.splat(g), isa.splat(u)), &mut want));
                    assert_eq!(*got, want[0]);
                }
            });
        }
    }
}

#[test]
fn nan_scales_reach_the_output() {
    let mut bytes = bytemuck::cast_slice::<_, u8>(&q8_0_weights(0)).to_vec();
    bytes[..2].copy_from_slice(&half::f16::NAN.to_le_bytes());
    let weights = bytemuck::cast_slice(&bytes);
    let input = Input::new(2);
    for_each_isa!(|isa| {
        let out = run(isa, Dyn(K), &input, Matrix::Q8_0(weights), 0);
        assert!(out[0].is_nan() && out[N].is_nan());
        assert!(out[1].is_finite());
    });
}
