//! Attention within one text, as two matrix products with a softmax between them.
//!
//! A part is up to sixteen neighbouring tokens of one text, one per vector lane. For each query head:
//! ```text
//! scores (keys x 16)  = K q^T            a tile of key rows times the panel q^T (head_dim x 16)
//! weights             = softmax down each column; keys that the token does not see are masked
//! o (16 x head_dim)   = weights^T V      a tile of tokens times column groups of V
//! ```
//! Three query heads that share their keys are scored together if there are enough registers: each key is then read
//! once for all three.
//!
//! 1. Keys and values are read in place, row by row; only the sixteen queries are transposed.
//! 2. No sum crosses lanes, and every sum runs over the keys in their order. Masked keys add exactly zero, so a token's
//!    bits do not depend on which other tokens share its part.
//! 3. Only the keys that some token of the part sees are scored. At the edges of that range, the keys that a token
//!    itself does not see are masked.

use super::softmax::softmax_columns;
use super::tile::{float_tile, float_tile_transposed};
use crate::dim::Dim;
use monomorph_quant::{BLOCK, FloatPanelBlock};
use monomorph_simd::{Isa, LANES};
use std::ops::Range;

/// Number of tokens in a full part.
pub const QUERIES: usize = LANES;

/// The sizes of the attention heads.
#[derive(Clone, Copy)]
pub struct Heads<H: Dim, G: Dim, D: Dim> {
    /// Query heads.
    pub n_head: H,
    /// Key/value heads; divides `n_head`.
    pub n_head_kv: G,
    /// Floats per head; a multiple of 32.
    pub head_dim: D,
}

/// The keys and values of neighbouring tokens of a text, each n x (n_head_kv * head_dim).
#[derive(Clone, Copy, Default)]
pub struct KeysValues<'a> {
    /// The number of keys.
    pub n: usize,
    /// Keys, normalised and rotated.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
}

/// Buffers for one part. They grow to fit the longest text and are then reused.
#[derive(Default)]
pub struct AttentionScratch {
    /// q^T: head_dim x 16 for each head.
    queries: Vec<FloatPanelBlock>,
    /// Scores, then weights: keys x 16 for each head.
    scores: Vec<[f32; LANES]>,
}

/// The keys that a token sees: this many before its own key and this many after it.
#[derive(Clone, Copy)]
pub struct Visible {
    /// Number of keys before its own.
    pub before: usize,
    /// Number of keys after its own.
    pub after: usize,
}

impl Visible {
    /// The whole text.
    pub const ALL: Visible = Visible { before: usize::MAX, after: usize::MAX };

    /// The keys that a token sees in a text of `n` tokens.
    #[inline(always)]
    fn of(self, token: usize, n: usize) -> Range<usize> {
        token.saturating_sub(self.before)..token.saturating_add(self.after).min(n - 1) + 1
    }
}

/// Computes the attention of the tokens `tokens` of a text, 1 to [`QUERIES`] of them. `kv` holds the keys and values of
/// the whole text, in as many runs as they lie in.
///
/// `queries` holds their rows, `stride` floats apart. Each begins with n_head * head_dim floats that are normalised,
/// rotated and scaled. `out` gets `tokens.len()` x (n_head * head_dim).
#[allow(clippy::too_many_arguments)] // Each is one term of the formulas above.
pub fn attention<I: Isa, H: Dim, G: Dim, D: Dim, const RUNS: usize>(
    isa: I,
    heads: Heads<H, G, D>,
    queries: &[f32],
    stride: usize,
    tokens: Range<usize>,
    kv: [KeysValues<'_>; RUNS],
    visible: Visible,
    scratch: &mut AttentionScratch,
    out: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            let part = Part { heads, queries, stride, tokens, kv, visible };
            if I::WIDE && part.shared().is_multiple_of(3) {
                part.attend::<I, 3, 8, 8, 2>(isa, scratch, out);
            } else if I::WIDE {
                part.attend::<I, 1, 16, 8, 2>(isa, scratch, out);
            } else if I::FLOAT_SUMS < 4 {
                // WebAssembly's registers hold two sums: of two keys for the scores, of two tokens for the output.
                part.attend::<I, 1, 2, 2, 1>(isa, scratch, out);
            } else {
                part.attend::<I, 1, 6, 4, 1>(isa, scratch, out);
            }
        },
    );
}

/// The arguments of [`attention`] that are only read.
struct Part<'a, H: Dim, G: Dim, D: Dim, const RUNS: usize> {
    heads: Heads<H, G, D>,
    queries: &'a [f32],
    stride: usize,
    tokens: Range<usize>,
    kv: [KeysValues<'a>; RUNS],
    visible: Visible,
}

impl<H: Dim, G: Dim, D: Dim, const RUNS: usize> Part<'_, H, G, D, RUNS> {
    /// Number of query heads per key/value head.
    #[inline(always)]
    fn shared(&self) -> usize {
        self.heads.n_head.size() / self.heads.n_head_kv.size()
    }

    /// Handles `TOGETHER` heads at a time, in tiles of `KEYS` keys by `TOGETHER` heads for the scores, then of `TOKENS`
    /// tokens by `GROUPS` groups of sixteen columns for the output.
    #[inline(always)]
    fn attend<
        I: Isa,
        const TOGETHER: usize,
        const KEYS: usize,
        const TOKENS: usize,
        const GROUPS: usize,
    >(
        &self,
        isa: I,
        scratch: &mut AttentionScratch,
        out: &mut [f32],
    ) {
        let (n_head, d) = (self.heads.n_head.size(), self.heads.head_dim.size());
        let kv_stride = self.heads.n_head_kv.size() * d;
        let n = self.kv.iter().map(|kv| kv.n).sum();
        let mask = Mask { tokens: self.tokens.clone(), visible: self.visible, n };
        let n_keys = mask.keys().len();
        let blocks = d / BLOCK;
        scratch.queries.resize(TOGETHER * blocks, bytemuck::Zeroable::zeroed());
        if scratch.scores.len() < TOGETHER * n_keys {
            scratch.scores.resize(TOGETHER * n_keys, [0.0; LANES]);
        }
        let scores = &mut scratch.scores[..TOGETHER * n_keys];
        for head in (0..n_head).step_by(TOGETHER) {
            let panels = scratch.queries.chunks_exact_mut(blocks);
            for (h, panel) in (head..head + TOGETHER).zip(panels) {
                let queries = &self.queries[h * d..];
                transpose_queries(isa, queries, self.stride, self.tokens.len(), panel);
            }
            let visible = self.visible_of(mask.keys(), head / self.shared() * d, kv_stride);
            let mut at = 0;
            for kv in visible {
                let keys = Keys { n: kv.n, keys: kv.keys, stride: kv_stride };
                keys.score::<I, KEYS, TOGETHER>(isa, d, &scratch.queries, scores, at, n_keys);
                at += kv.n;
            }
            for (h, scores) in (head..).zip(scores.chunks_exact_mut(n_keys)) {
                mask.apply(scores);
                let sums = softmax_columns(isa, scores);
                let out = &mut out[h * d..];
                let rows = Weighted { visible, stride: kv_stride, weights: scores, sums: &sums };
                rows.write::<I, TOKENS, GROUPS>(isa, d, self.tokens.len(), n_head * d, out);
            }
        }
    }
}

impl<'a, H: Dim, G: Dim, D: Dim, const RUNS: usize> Part<'a, H, G, D, RUNS> {
    /// Of the keys and values from a column on, those of these tokens.
    #[inline(always)]
    fn visible_of(
        &self,
        tokens: Range<usize>,
        column: usize,
        stride: usize,
    ) -> [KeysValues<'a>; RUNS] {
        let mut before = 0;
        self.kv.map(|kv| {
            let [start, end] =
                [tokens.start, tokens.end].map(|at| at.clamp(before, before + kv.n) - before);
            before += kv.n;
            if start == end {
                return KeysValues::default();
            }
            let from = start * stride + column;
            KeysValues { n: end - start, keys: &kv.keys[from..], values: &kv.values[from..] }
        })
    }
}

/// The keys that the tokens of a part see.
struct Mask {
    tokens: Range<usize>,
    visible: Visible,
    n: usize,
}

impl Mask {
    /// The keys that at least one of the tokens sees.
    #[inline(always)]
    fn keys(&self) -> Range<usize> {
        let [first, last] =
            [self.tokens.start, self.tokens.end - 1].map(|token| self.visible.of(token, self.n));
        first.start..last.end
    }

    /// Sets the scores of keys that a token does not see to minus infinity. The rows of `scores` are the keys of
    /// [`Self::keys`].
    #[inline(always)]
    fn apply(&self, scores: &mut [[f32; LANES]]) {
        let first = self.keys().start;
        for (lane, token) in self.tokens.clone().enumerate() {
            let Range { start, end } = self.visible.of(token, self.n);
            scores[..start - first].iter_mut().for_each(|row| row[lane] = f32::NEG_INFINITY);
            scores[end - first..].iter_mut().for_each(|row| row[lane] = f32::NEG_INFINITY);
        }
    }
}

/// `panel = q^T`, with zeros in the lanes without a token.
#[inline(always)]
fn transpose_queries<I: Isa>(
    isa: I,
    queries: &[f32],
    stride: usize,
    tokens: usize,
    panel: &mut [FloatPanelBlock],
) {
    let squares: &mut [[[f32; LANES]; LANES]] = bytemuck::cast_slice_mut(panel);
    for (i, square) in squares.iter_mut().enumerate() {
        let mut rows = [&[0.0; LANES]; LANES];
        for (lane, row) in rows[..tokens].iter_mut().enumerate() {
            *row = &queries[lane * stride..].as_chunks().0[i];
        }
        isa.transpose(rows, square);
    }
}

/// K, with its rows `stride` floats apart.
struct Keys<'a> {
    n: usize,
    keys: &'a [f32],
    stride: usize,
}

impl Keys<'_> {
    /// `scores = K q^T`, R keys at a time for each of C heads. A head's scores are `n_scores` rows; those of these keys
    /// begin at row `at`.
    #[inline(always)]
    fn score<I: Isa, const R: usize, const C: usize>(
        &self,
        isa: I,
        d: usize,
        queries: &[FloatPanelBlock],
        scores: &mut [[f32; LANES]],
        at: usize,
        n_scores: usize,
    ) {
        let blocks = d / BLOCK;
        let mut panels = [queries; C];
        for c in 0..C {
            panels[c] = &queries[c * blocks..];
        }
        for key in (0..self.n).step_by(R) {
            let mut rows = [&self.keys.as_chunks().0[..0]; R];
            for r in 0..R {
                // The last tile is filled up with copies of the last key.
                rows[r] = self.keys[(key + r).min(self.n - 1) * self.stride..][..d].as_chunks().0;
            }
            let sums = float_tile::<I, R, C>(isa, rows, panels, blocks);
            for r in 0..R.min(self.n - key) {
                for c in 0..C {
                    isa.store(sums[r][c], &mut scores[c * n_scores + at + key + r]);
                }
            }
        }
    }
}

/// `weights^T V / sums`
struct Weighted<'a, const RUNS: usize> {
    /// V, with its rows `stride` floats apart.
    visible: [KeysValues<'a>; RUNS],
    stride: usize,
    /// Keys x 16 tokens.
    weights: &'a [[f32; LANES]],
    sums: &'a [f32; LANES],
}

impl<const RUNS: usize> Weighted<'_, RUNS> {
    /// Writes the first `tokens` rows of `d` columns, R rows by C groups of columns at a time. The rows of `out` are
    /// `out_stride` floats apart.
    #[inline(always)]
    fn write<I: Isa, const R: usize, const C: usize>(
        &self,
        isa: I,
        d: usize,
        tokens: usize,
        out_stride: usize,
        out: &mut [f32],
    ) {
        for column in (0..d).step_by(C * LANES) {
            for first in (0..tokens).step_by(R) {
                let (mut tile, mut at) = ([[isa.splat(0.0); C]; R], 0);
                for kv in self.visible {
                    if kv.n > 0 {
                        let weights = &self.weights[at..at + kv.n];
                        let values = &kv.values[column..];
                        float_tile_transposed(isa, weights, first, values, self.stride, &mut tile);
                        at += kv.n;
                    }
                }
                for r in 0..R.min(tokens - first) {
                    let inverse = isa.splat(1.0 / self.sums[first + r]);
                    let to = &mut out[(first + r) * out_stride + column..].as_chunks_mut().0[..C];
                    for c in 0..C {
                        isa.store(isa.mul(tile[r][c], inverse), &mut to[c]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
