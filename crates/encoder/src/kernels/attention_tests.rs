//! Compares attention with its definition in float64.

use super::*;
use crate::dim::{Const, Dyn};
use monomorph_simd::for_each_isa;

const D: usize = 32;

fn noise(i: usize) -> f32 {
    let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    mixed as f32 / (1 << 23) as f32 - 1.0
}

/// `n` tokens with their queries, keys and values.
struct Case {
    n: usize,
    n_head: usize,
    n_head_kv: usize,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Case {
    fn new(n: usize, n_head: usize, n_head_kv: usize) -> Case {
        let some = |len: usize, seed: usize| (0..len).map(|i| noise(i + seed)).collect::<Vec<_>>();
        Case {
            n,
            n_head,
            n_head_kv,
            queries: some(n * n_head * D, 1),
            keys: some(n * n_head_kv * D, 1_000_000),
            values: some(n * n_head_kv * D, 2_000_000),
        }
    }

    fn reference(&self, token: usize, head: usize, visible: Visible) -> Vec<f64> {
        let kv_head = head / (self.n_head / self.n_head_kv);
        let row = |m: &[f32], heads: usize, token: usize, head: usize| -> Vec<f64> {
            m[(token * heads + head) * D..][..D].iter().map(|x| f64::from(*x)).collect()
        };
        let query = row(&self.queries, self.n_head, token, head);
        let (mut out, mut sum) = (vec![0.0; D], 0.0);
        for other in 0..self.n {
            let limit = if other < token { visible.before } else { visible.after };
            if token.abs_diff(other) > limit {
                continue;
            }
            let key = row(&self.keys, self.n_head_kv, other, kv_head);
            let weight = query.iter().zip(&key).map(|(q, k)| q * k).sum::<f64>().exp();
            let value = row(&self.values, self.n_head_kv, other, kv_head);
            out.iter_mut().zip(value).for_each(|(o, v)| *o += weight * v);
            sum += weight;
        }
        out.into_iter().map(|o| o / sum).collect()
    }

    fn run<I: Isa, X: Dim>(&self, isa: I, d: X, visible: Visible, step: usize) -> Vec<f32> {
        self.run_cut(isa, d, visible, step, 0)
    }

    /// With the keys and values of the first tokens apart from the others.
    fn run_cut<I: Isa, X: Dim>(
        &self,
        isa: I,
        d: X,
        visible: Visible,
        step: usize,
        cut: usize,
    ) -> Vec<f32> {
        let heads = Heads { n_head: Dyn(self.n_head), n_head_kv: Dyn(self.n_head_kv), head_dim: d };
        let (keys, values) = (&self.keys[..], &self.values[..]);
        let from = cut * self.n_head_kv * D;
        let before = KeysValues { n: cut, keys: &keys[..from], values: &values[..from] };
        let own = KeysValues { n: self.n - cut, keys: &keys[from..], values: &values[from..] };
        let kv = [before, own];
        let stride = self.n_head * D;
        let mut out = vec![f32::NAN; self.n * stride];
        let mut scratch = AttentionScratch::default();
        for start in (0..self.n).step_by(step) {
            let tokens = start..(start + step).min(self.n);
            let queries = &self.queries[start * stride..];
            let out = &mut out[start * stride..tokens.end * stride];
            attention(isa, heads, queries, stride, tokens, kv, visible, &mut scratch, out);
        }
        out
    }
}

#[test]
fn equals_the_definition_in_every_cut() {
    let within = |before, after| Visible { before, after };
    for (n, n_head, n_head_kv, visible) in [
        (1, 3, 1, Visible::ALL),
        (2, 3, 1, within(8, 8)),
        (17, 3, 1, within(8, 8)),
        (40, 3, 1, within(5, 5)),
        (70, 4, 2, within(16, 16)),
        (70, 3, 1, Visible::ALL),
        (33, 2, 2, Visible::ALL),
        (33, 6, 2, within(8, 8)),
        (20, 6, 1, Visible::ALL),
        (1, 4, 1, within(usize::MAX, 0)),
        (70, 4, 1, within(usize::MAX, 0)),
        (40, 3, 1, within(15, 0)),
        (70, 4, 2, within(7, 0)),
        (40, 3, 1, within(0, 0)),
        (33, 3, 1, within(2, 20)),
    ] {
        let case = Case::new(n, n_head, n_head_kv);
        let scalar = monomorph_simd::Scalar::detect().unwrap();
        let want = case.run(scalar, Dyn(D), visible, QUERIES);
        for (i, got) in want.chunks(D).enumerate() {
            let reference = case.reference(i / n_head, i % n_head, visible);
            for (got, want) in got.iter().zip(reference) {
                assert!((f64::from(*got) - want).abs() < 5e-6, "{got} {want}, n {n}");
            }
        }
        for_each_isa!(|isa| {
            assert!(case.run(isa, Const::<D>, visible, QUERIES) == want, "n {n}");
            assert!(case.run(isa, Dyn(D), visible, 3) == want, "n {n} in threes");
            for cut in [1, 7, n / 2, n - 1, n] {
                let got = case.run_cut(isa, Dyn(D), visible, QUERIES, cut.min(n));
                assert!(got == want, "n {n} cut at {cut}");
            }
        });
    }
}

#[test]
fn a_nan_key_reaches_the_output() {
    let mut case = Case::new(20, 3, 1);
    case.keys[7 * D] = f32::NAN;
    for_each_isa!(|isa| {
        let out = case.run(isa, Dyn(D), Visible::ALL, QUERIES);
        assert!(out.iter().all(|o| o.is_nan()));
    });
}
