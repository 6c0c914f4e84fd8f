//! Attention of one text as two matrix products with a softmax between them.
//!
//! A part is up to sixteen neighbouring tokens of one text, one a vector lane, and one query head at a time:
//! ```text
//! scores (keys x 16)  = K q^T            a tile of key rows times the panel q^T (head_dim x 16)
//! weights             = softmax down each column; keys out of the token's own reach weigh nothing
//! o (16 x head_dim)   = weights^T V      a tile of tokens times column groups of V
//! ```
//! 1. Keys and values are used as they lie, row by row: only sixteen queries are transposed.
//! 2. No sum crosses lanes, and every sum runs over the keys in their order. Keys out of reach add exactly zero, so a
//!    token's bits do not depend on which others share its part.
//! 3. In sliding layers the keys are clipped to what the part can reach; the window's edges alone are masked.

use super::softmax::softmax_columns;
use super::tile::{Panel, float_tile_transposed, with_rows};
use crate::dim::Dim;
use crate::isa::{Isa, LANES};
use crate::quant::{BLOCK, FloatPanel};
use std::ops::Range;

/// Tokens that are handled together.
pub const QUERIES: usize = LANES;

/// The sizes of the attention heads.
#[derive(Clone, Copy)]
pub struct Heads<H: Dim, G: Dim, D: Dim> {
    /// Query heads.
    pub n_head: H,
    /// Key/value heads; divides `n_head`.
    pub n_head_kv: G,
    /// Floats a head; a multiple of 32.
    pub head_dim: D,
}

/// One text's keys and values, each n x (n_head_kv * head_dim).
#[derive(Clone, Copy)]
pub struct KeysValues<'a> {
    /// The number of keys.
    pub n: usize,
    /// Keys, normalised and turned.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
}

/// Room for one part; grows to the longest text and stays.
#[derive(Default)]
pub struct AttentionScratch {
    /// q^T: head_dim x 16.
    queries: Vec<FloatPanel>,
    /// Scores, then weights: keys x 16.
    scores: Vec<[f32; LANES]>,
}

/// Attends from the tokens `tokens` of a text (1 to [`QUERIES`]).
///
/// `queries` holds their rows, `stride` apart, each beginning with n_head * head_dim floats that are normalised,
/// turned and scaled. `radius` limits the distance between a query and its keys. `out` gets
/// `tokens.len()` x (n_head * head_dim).
#[allow(clippy::too_many_arguments)] // Each is one noun of the formula above.
pub fn attention<I: Isa, H: Dim, G: Dim, D: Dim>(
    isa: I,
    heads: Heads<H, G, D>,
    queries: &[f32],
    stride: usize,
    tokens: Range<usize>,
    kv: KeysValues<'_>,
    radius: Option<usize>,
    scratch: &mut AttentionScratch,
    out: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let d = heads.head_dim.size();
            let shared = heads.n_head.size() / heads.n_head_kv.size();
            let kv_stride = heads.n_head_kv.size() * d;
            let reach = Reach { tokens: tokens.clone(), radius: radius.unwrap_or(kv.n), n: kv.n };
            let keys = reach.keys();
            scratch.queries.resize(d / BLOCK, bytemuck::Zeroable::zeroed());
            if scratch.scores.len() < keys.len() {
                scratch.scores.resize(keys.len(), [0.0; LANES]);
            }
            let scores = &mut scratch.scores[..keys.len()];
            for head in 0..heads.n_head.size() {
                transpose_queries(&queries[head * d..], stride, tokens.len(), &mut scratch.queries);
                let column = head / shared * d;
                let k = &kv.keys[keys.start * kv_stride + column..];
                score(isa, d, k, kv_stride, &scratch.queries, scores);
                reach.mask(scores);
                let sums = softmax_columns(isa, scores);
                let v = &kv.values[keys.start * kv_stride + column..];
                let out = &mut out[head * d..];
                weigh(
                    isa,
                    d,
                    v,
                    kv_stride,
                    scores,
                    &sums,
                    tokens.len(),
                    heads.n_head.size() * d,
                    out,
                );
            }
        },
    );
}

/// Which keys the tokens of a part see.
struct Reach {
    tokens: Range<usize>,
    radius: usize,
    n: usize,
}

impl Reach {
    /// The keys that any of the tokens sees.
    #[inline(always)]
    fn keys(&self) -> Range<usize> {
        let start = self.tokens.start.saturating_sub(self.radius);
        start..(self.tokens.end + self.radius).min(self.n)
    }

    /// Gives minus infinity to the keys that a token does not see. Rows of `scores` are the keys of [`Self::keys`].
    #[inline(always)]
    fn mask(&self, scores: &mut [[f32; LANES]]) {
        let first = self.keys().start;
        for (lane, token) in self.tokens.clone().enumerate() {
            let start = token.saturating_sub(self.radius);
            let end = (token + self.radius + 1).min(self.n);
            scores[..start - first].iter_mut().for_each(|row| row[lane] = f32::NEG_INFINITY);
            scores[end - first..].iter_mut().for_each(|row| row[lane] = f32::NEG_INFINITY);
        }
    }
}

/// `panel = q^T`, with zeros in the lanes that have no token.
#[inline(always)]
fn transpose_queries(queries: &[f32], stride: usize, tokens: usize, panel: &mut [FloatPanel]) {
    let d = panel.len() * BLOCK;
    for lane in 0..LANES {
        let rows = panel.iter_mut().flat_map(|block| &mut block.weights);
        if lane < tokens {
            let query = &queries[lane * stride..][..d];
            rows.zip(query).for_each(|(row, q)| row[lane] = *q);
        } else {
            rows.for_each(|row| row[lane] = 0.0);
        }
    }
}

/// `scores = K q^T`
#[inline(always)]
fn score<I: Isa>(
    isa: I,
    d: usize,
    keys: &[f32],
    stride: usize,
    queries: &[FloatPanel],
    scores: &mut [[f32; LANES]],
) {
    let mut key = 0;
    while key < scores.len() {
        let height = I::FLOAT_ROWS.min(scores.len() - key);
        with_rows!(height, I::FLOAT_ROWS, R => {
            let base = &keys[key * stride..];
            let rows = std::array::from_fn(|r| base[r * stride..][..d].as_chunks().0);
            let sums = FloatPanel::tile::<I, R>(isa, rows, queries, d / BLOCK);
            for r in 0..R {
                isa.store(sums[r], &mut scores[key + r]);
            }
        });
        key += height;
    }
}

/// `out = weights^T V / sums` for the first `tokens` lanes; rows of `out` lie `out_stride` apart.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn weigh<I: Isa>(
    isa: I,
    d: usize,
    values: &[f32],
    stride: usize,
    weights: &[[f32; LANES]],
    sums: &[f32; LANES],
    tokens: usize,
    out_stride: usize,
    out: &mut [f32],
) {
    for column in (0..d).step_by(LANES) {
        let values = &values[column..];
        let mut token = 0;
        while token < tokens {
            let height = I::FLOAT_ROWS.min(tokens - token);
            with_rows!(height, I::FLOAT_ROWS, R => {
                let rows = float_tile_transposed::<I, R>(isa, weights, token, values, stride);
                for r in 0..R {
                    let scaled = isa.mul(rows[r], isa.splat(1.0 / sums[token + r]));
                    if let Some(to) = out[(token + r) * out_stride + column..].first_chunk_mut() {
                        isa.store(scaled, to);
                    }
                }
            });
            token += height;
        }
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
