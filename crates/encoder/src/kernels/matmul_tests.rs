//! Compares the products with plain loops over decoded weights.

use super::*;
use crate::dim::{Const, Dyn};
use crate::kernels::activation::GeluTanh;
use crate::kernels::quantize::{block_sums, quantize};
use bytemuck::Zeroable;
use monomorph_gguf::TensorType;
use monomorph_quant::{AnyType, FORMATS, decode_blocks, panel_kind, repack};
use monomorph_simd::{Scalar, for_each_isa};
use monomorph_testing::random_blocks::random_blocks;

const K: usize = 256;
const N: usize = 112;

/// A deterministic value in -1..1.
fn noise(i: usize) -> f32 {
    let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    mixed as f32 / (1 << 23) as f32 - 1.0
}

/// Random weights of a type, N x K.
fn weights(kind: TensorType, seed: u64) -> Vec<u8> {
    match kind {
        // Random bits would give values of all magnitudes.
        TensorType::F32 => {
            (0..N * K).flat_map(|i| noise(i + seed as usize).to_le_bytes()).collect()
        }
        // With random exponents, a few blocks would hide all others.
        TensorType::MXFP4 => {
            let mut bytes = random_blocks(kind, N * K / BLOCK, seed);
            bytes.iter_mut().step_by(kind.block_bytes() as usize).for_each(|e| *e = 0x78 | *e & 7);
            bytes
        }
        _ => random_blocks(kind, N * K / kind.block_len() as usize, seed),
    }
}

/// Rows in all forms.
struct Input {
    floats: Vec<f32>,
    ints: Vec<i16>,
    scales: Vec<f32>,
    sums: Vec<BlockSums>,
}

impl Input {
    fn new<I: Isa>(isa: I, m: usize) -> Input {
        let floats: Vec<f32> = (0..m * K).map(|i| 3.0 * noise(i + 77)).collect();
        let mut ints = vec![0; m * K];
        let rows = floats.chunks(K).zip(ints.chunks_mut(K));
        let scales = rows.map(|(x, q)| quantize(isa, Dyn(K), x, q));
        let scales = scales.collect();
        let mut sums = vec![BlockSums::zeroed(); m * K / BLOCK];
        block_sums(isa, &ints, &mut sums);
        Input { scales, ints, sums, floats }
    }

    fn rows(&self) -> Rows<'_> {
        Rows {
            m: self.scales.len(),
            ints: bytemuck::cast_slice(&self.ints),
            scales: &self.scales,
            sums: &self.sums,
            floats: bytemuck::cast_slice(&self.floats),
        }
    }
}

fn run<I: Isa, D: Dim>(isa: I, k: D, input: &Input, weights: Matrix<'_>, cut: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; input.scales.len() * N];
    let (mut left, mut right) = ColumnsMut::new(&mut out, N).split_at(cut * PANEL);
    let scratch = &mut PanelScratch::default();
    matmul::<_, _, AnyType>(isa, k, input.rows(), weights, 0, scratch, &mut left);
    matmul::<_, _, AnyType>(isa, k, input.rows(), weights, cut, scratch, &mut right);
    out
}

/// Checks products of some numbers of rows: they must be close to float64 on decoded weights, and equal for every
/// instruction set, kind of dimension and cut.
fn check(kind: TensorType, heights: &[usize]) {
    let bytes = weights(kind, 1);
    let matrix = Matrix::blocks(kind, &bytes);
    let mut decoded = vec![0.0; N * K];
    decode_blocks(kind, &bytes, &mut decoded);
    // Inputs are off by half a step of 3 / 32767; sums of floats are nearly exact.
    let tolerance = if panel_kind(kind).is_ints() { 3.0 / 65534.0 + 1e-6 } else { 3e-6 };
    for m in heights {
        let scalar = Scalar::detect().expect("it runs everywhere");
        let input = Input::new(scalar, *m);
        let want = run(scalar, Dyn(K), &input, matrix, 0);
        for (i, got) in want.iter().enumerate() {
            let (row, column) = (&input.floats[i / N * K..][..K], &decoded[i % N * K..][..K]);
            let terms = row.iter().zip(column).map(|(x, w)| f64::from(*x) * f64::from(*w));
            let size: f64 = column.iter().map(|w| f64::from(w.abs())).sum();
            let off = (f64::from(*got) - terms.sum::<f64>()).abs();
            assert!(off <= tolerance * size, "{kind}: {got} is off by {off} at {i}");
        }
        for_each_isa!(|isa| {
            let input = Input::new(isa, *m);
            for cut in [0, 1, 3, 7] {
                assert!(run(isa, Const::<K>, &input, matrix, cut) == want, "{kind}, {m} x, {cut}");
                assert!(run(isa, Dyn(K), &input, matrix, cut) == want, "{kind}, {m} x, {cut}");
            }
        });
    }
}

#[test]
fn every_format_equals_plain_loops() {
    for kind in FORMATS {
        check(*kind, &[3, 14]);
    }
}

#[test]
fn every_tile_height_equals_plain_loops() {
    use TensorType::{F32, Q2_K, Q4_K, Q6_K, Q8_0};
    for kind in [Q8_0, Q4_K, Q6_K, Q2_K, F32] {
        check(kind, &[1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15, 28, 29]);
    }
}

#[test]
fn kept_panels_give_the_same_bits() {
    for kind in FORMATS.iter().copied().filter(|kind| panel_kind(*kind).is_ints()) {
        let bytes = weights(kind, 5);
        for_each_isa!(|isa| {
            let input = Input::new(isa, 9);
            let lines = N / PANEL * K / BLOCK * panel_kind(kind).block_lines();
            let mut panels = vec![Zeroable::zeroed(); lines];
            repack(isa, kind, K / BLOCK, &bytes, 0, &mut panels);
            let kept = run(isa, Const::<K>, &input, Matrix::panels(kind, &panels), 2);
            assert!(kept == run(isa, Const::<K>, &input, Matrix::blocks(kind, &bytes), 2));
        });
    }
}

#[test]
fn a_bias_is_added_to_its_column() {
    let bias: Vec<f32> = (0..N).map(|i| 2.0 * noise(i + 5)).collect();
    for kind in [TensorType::Q8_0, TensorType::F32] {
        let bytes = weights(kind, 3);
        let plain = Matrix::blocks(kind, &bytes);
        for m in [1, 14, 29] {
            let mut first = None;
            for_each_isa!(|isa| {
                let input = Input::new(isa, m);
                let products = run(isa, Dyn(K), &input, plain, 0);
                let with_bias = run(isa, Const::<K>, &input, plain.with_bias(Some(&bias)), 3);
                for (i, (got, product)) in with_bias.iter().zip(&products).enumerate() {
                    let want = product + bias[i % N];
                    assert!((got - want).abs() <= 1e-6 * (1.0 + product.abs()), "{kind}: {i}");
                }
                assert!(first.get_or_insert_with(|| with_bias.clone()) == &with_bias);
            });
        }
    }
}

#[test]
fn a_gated_product_equals_two_products() {
    use TensorType::{F32, Q2_K, Q4_K, Q6_K, Q8_0};
    let pairs = [(Q8_0, Q8_0), (Q4_K, Q4_K), (F32, F32), (Q8_0, F32), (F32, Q4_K), (Q6_K, Q2_K)];
    for (gate, up) in pairs {
        let bytes = [weights(gate, 1), weights(up, 2)];
        let pair = [Matrix::blocks(gate, &bytes[0]), Matrix::blocks(up, &bytes[1])];
        for m in [1, 8, 13, 28, 29] {
            for_each_isa!(|isa| {
                let input = Input::new(isa, m);
                let [gates, ups] = pair.map(|weights| run(isa, Dyn(K), &input, weights, 0));
                let mut out = vec![0.0; gates.len()];
                let scratch = &mut PanelScratch::default();
                let (k, columns) = (Const::<K>, &mut ColumnsMut::new(&mut out, N));
                let rows = input.rows();
                matmul_gated::<_, _, AnyType, GeluTanh>(isa, k, rows, pair, 0, scratch, columns);
                for ((got, g), u) in out.iter().zip(gates).zip(ups) {
                    let mut want = [0.0; PANEL];
                    isa.vectorize(|| {
                        let gate = GeluTanh::activate(isa, isa.splat(g));
                        isa.store(isa.mul(gate, isa.splat(u)), &mut want);
                    });
                    assert_eq!(got.to_bits(), want[0].to_bits());
                }
            });
        }
    }
}

#[test]
fn nan_scales_reach_the_output() {
    let mut bytes = weights(TensorType::Q8_0, 0);
    bytes[..2].copy_from_slice(&half::f16::NAN.to_le_bytes());
    for_each_isa!(|isa| {
        let input = Input::new(isa, 2);
        let out = run(isa, Dyn(K), &input, Matrix::blocks(TensorType::Q8_0, &bytes), 0);
        assert!(out[0].is_nan() && out[N].is_nan());
        assert!(out[1].is_finite());
    });
}
