//! Attention of one text as two matrix products with a softmax between them.
//!
//! A part is [`QUERIES`] neighbouring tokens of one text. For each key/value head, the query heads that share it
//! are stacked, `QUERIES * n_head / n_head_kv` rows, and their whole score rows fit the L2 cache:
//! ```text
//! scores = q K^T        K^T in panels of 16 keys (head_dim x 16), clipped to the keys within reach
//! softmax of each row   keys out of the row's own reach get minus infinity
//! o = scores V / sum    V as it is, in column groups of 16
//! ```
//! Keys are cut into panels from the text's first token on, so a row's sums run over the same lanes in the same order
//! however tokens are grouped, and the padding's zero weights change no bit.

use super::softmax::softmax;
use super::tile::{float_tile, with_rows};
use crate::dim::Dim;
use crate::isa::{Isa, LANES, PANEL};
use std::ops::Range;

/// Tokens whose queries are handled together.
pub const QUERIES: usize = 8;

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

/// One text's keys and values.
#[derive(Clone, Copy)]
pub struct KeysValues<'a> {
    /// The number of keys.
    pub n: usize,
    /// Keys, transposed in panels of 16 tokens: n / 16 (rounded up) x n_head_kv x head_dim x 16.
    pub keys: &'a [f32],
    /// Values: n x (n_head_kv * head_dim).
    pub values: &'a [f32],
}

/// Room for the score rows of one part; grows to the longest text and stays.
pub type Scores = Vec<f32>;

/// Attends from the tokens `tokens` of a text (at most [`QUERIES`]).
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
    scores: &mut Scores,
    out: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let reach = |t: usize| match radius {
                Some(radius) => t.saturating_sub(radius)..(t + radius + 1).min(kv.n),
                None => 0..kv.n,
            };
            let keys = reach(tokens.start).start..reach(tokens.end - 1).end;
            let panels = keys.start / PANEL..keys.end.div_ceil(PANEL);
            let width = panels.len() * PANEL;
            let d = heads.head_dim.size();
            let shared = heads.n_head.size() / heads.n_head_kv.size();
            let rows = shared * tokens.len();
            assert!(rows <= MAX_ROWS, "{shared} query heads share a key head");
            if scores.len() < rows * width {
                scores.resize(rows * width, 0.0);
            }
            let scores = &mut scores[..rows * width];
            for kv_head in 0..heads.n_head_kv.size() {
                // Row i of the stack is head i / tokens.len() of token i % tokens.len().
                let at = |i: usize| {
                    let head = kv_head * shared + i / tokens.len();
                    (i % tokens.len(), head * d)
                };
                let query = |i: usize| {
                    let (token, column) = at(i);
                    &queries[token * stride + column..][..d]
                };
                score(
                    isa,
                    d,
                    heads.n_head_kv.size(),
                    kv_head,
                    kv.keys,
                    panels.clone(),
                    rows,
                    query,
                    scores,
                );
                let first = panels.start * PANEL;
                let mut inverse_sums = [0.0; MAX_ROWS];
                for (i, row) in scores.chunks_exact_mut(width).enumerate() {
                    let reach = reach(tokens.start + i % tokens.len());
                    row[..reach.start - first].fill(f32::NEG_INFINITY);
                    row[reach.end - first..].fill(f32::NEG_INFINITY);
                    inverse_sums[i] = 1.0 / softmax(isa, row);
                }
                // The last panel may reach beyond the text; there the weights are zero and no values exist.
                let used = (panels.end * PANEL).min(kv.n) - first;
                let value_stride = heads.n_head_kv.size() * d;
                let values = &kv.values[first * value_stride + kv_head * d..];
                let out_stride = heads.n_head.size() * d;
                weigh(
                    isa,
                    d,
                    values,
                    value_stride,
                    used,
                    scores,
                    width,
                    |i| {
                        let (token, column) = at(i);
                        (token * out_stride + column, inverse_sums[i])
                    },
                    out,
                );
            }
        },
    );
}

/// The most rows of a stack: the Spec allows up to 32 query heads for each key/value head.
const MAX_ROWS: usize = 32 * QUERIES;

/// `scores = q K^T` for the stacked query rows and a range of key panels.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn score<'a, I: Isa>(
    isa: I,
    d: usize,
    n_head_kv: usize,
    kv_head: usize,
    keys: &[f32],
    panels: Range<usize>,
    rows: usize,
    query: impl Fn(usize) -> &'a [f32],
    scores: &mut [f32],
) {
    let width = panels.len() * PANEL;
    for (p, panel) in panels.enumerate() {
        let panel = &keys[(panel * n_head_kv + kv_head) * d * PANEL..][..d * PANEL];
        let mut row = 0;
        while row < rows {
            let count = I::TILE_ROWS.min(rows - row);
            with_rows!(count, R => {
                let queries: [&[f32]; R] = std::array::from_fn(|r| query(row + r));
                let sums = float_tile(isa, queries, panel, PANEL);
                for r in 0..R {
                    let to = &mut scores[(row + r) * width + p * PANEL..];
                    if let Some(to) = to.first_chunk_mut() {
                        isa.store(sums[r], to);
                    }
                }
            });
            row += count;
        }
    }
}

/// `out = weights V`, each row times its inverse sum; `place` gives a row's start in `out` and that factor.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn weigh<I: Isa>(
    isa: I,
    d: usize,
    values: &[f32],
    stride: usize,
    used: usize,
    weights: &[f32],
    width: usize,
    place: impl Fn(usize) -> (usize, f32),
    out: &mut [f32],
) {
    let rows = weights.len() / width;
    for column in (0..d).step_by(LANES) {
        let values = &values[column..];
        let mut row = 0;
        while row < rows {
            let count = I::TILE_ROWS.min(rows - row);
            with_rows!(count, R => {
                let weights: [&[f32]; R] =
                    std::array::from_fn(|r| &weights[(row + r) * width..][..used]);
                let sums = float_tile(isa, weights, values, stride);
                for r in 0..R {
                    let (start, factor) = place(row + r);
                    if let Some(to) = out[start + column..].first_chunk_mut() {
                        isa.store(isa.mul(sums[r], isa.splat(factor)), to);
                    }
                }
            });
            row += count;
        }
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
