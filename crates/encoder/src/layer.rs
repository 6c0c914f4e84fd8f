//! One transformer layer, an operation a function, in the order of the model's description.

use crate::Pass;
use crate::dim::Dim;
use crate::inputs::{Want, take};
use crate::kernels::attention::{Heads, KeysValues, QUERIES, Window, attention};
use crate::kernels::columns::ColumnsMut;
use crate::kernels::matmul::{GROUP, matmul, matmul_geglu};
use crate::kernels::matrix::Matrix;
use crate::kernels::rms_norm::{add_rms_norm, rms_norm_in_place};
use crate::kernels::rope::rope;
use crate::model::Model;
use crate::rows::{AllRows, TextRows};
use monomorph_simd::{Isa, PANEL};
use monomorph_spec::{Attention, Layer, Spec};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

impl<I: Isa, M: Model> Pass<'_, I, M> {
    /// `q, k, v = RMSNorm(x) * [Wq Wk Wv]`, the part of a layer before its rows meet in attention.
    pub(crate) fn project(&mut self, layer: &Layer) {
        let weights = self.weights;
        let [q, k, v] = [layer.attn_q, layer.attn_k, layer.attn_v].map(|t| weights.matrix(t));

        self.norm(weights.norm(layer.attn_norm), Want::of(&[q, k, v]));
        self.project_qkv([q, k, v]);
        self.norm_and_rotate(layer);
    }

    /// `x += attention branch; x += feed-forward branch`, the rest of the layer.
    pub(crate) fn attend_and_feed_forward(&mut self, layer: &Layer) {
        let weights = self.weights;
        let attn_output = weights.matrix(layer.attn_output);
        let [gate, up] = [layer.ffn_gate, layer.ffn_up].map(|t| weights.matrix(t));
        let ffn_down = weights.matrix(layer.ffn_down);

        self.attend(layer.attention, Want::of(&[attn_output]));
        self.project_branch(self.model.n_attn(), attn_output);
        self.add_branch(weights.norm(layer.post_attention_norm));

        self.norm(weights.norm(layer.ffn_norm), Want::of(&[gate, up]));
        self.gate_and_up(gate, up);
        self.take_gated(Want::of(&[ffn_down]));
        self.project_branch(self.model.n_ff(), ffn_down);
        self.add_branch(weights.norm(layer.post_ffw_norm));
    }

    /// `inputs = RMSNorm(x) * gain`
    fn norm(&mut self, gain: &[f32], want: Want) {
        let (isa, n, eps) = (self.isa, self.model.n_embd(), self.model.spec().rms_eps);
        let per_part = self.rows_per_part();
        let x = self.rows.x.chunks(per_part * n.size());
        let lengths = x.clone().map(|x| x.len() / n.size());
        let inputs = self.rows.inputs.parts(n.size(), want, lengths);
        self.team.for_each(x.zip(inputs), |_, (x, mut inputs)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    for (r, x) in x.chunks_exact(n.size()).enumerate() {
                        inputs.norm(isa, n, r, x, gain, eps);
                    }
                },
            );
        });
    }

    /// `qkv = inputs * [Wq Wk Wv]`
    fn project_qkv(&mut self, [q, k, v]: [Matrix<'_>; 3]) {
        let (isa, n_embd) = (self.isa, self.model.n_embd());
        let (n_q, n_kv) = (self.model.n_attn().size(), self.n_kv());
        let width = n_q + 2 * n_kv;
        let rows =
            self.rows.inputs.for_product(self.rows.len(), n_embd.size(), Want::of(&[q, k, v]));
        let out = ColumnsMut::new(self.rows.qkv, width);
        let parts = out.parts(shares(width / PANEL, self.team.threads()));
        let scratch = self.scratch;
        self.team.for_each(parts, |thread, (first, mut out)| {
            let panels = &mut lock(&scratch[thread]).panels;
            // A part may lie in several of the matrices.
            let mut skip = first;
            for (weights, n) in [(q, n_q), (k, n_kv), (v, n_kv)] {
                let n = n / PANEL;
                if skip >= n {
                    skip -= n;
                    continue;
                }
                let width = ((n - skip) * PANEL).min(out.width());
                let (mut here, rest) = out.split_at(width);
                matmul::<_, _, M::Types>(isa, n_embd, rows, weights, skip, panels, &mut here);
                (skip, out) = (0, rest);
            }
        });
    }

    /// Normalises and rotates the heads of queries and keys, and puts keys and values where attention reads them.
    fn norm_and_rotate(&mut self, layer: &Layer) {
        let (isa, model, tables, attention) = (self.isa, self.model, self.rope, layer.attention);
        let (d, eps) = (model.head_dim(), model.spec().rms_eps);
        let (n_q, n_kv) = (model.n_attn().size(), self.n_kv());
        let width = n_q + 2 * n_kv;
        let q_gain = self.weights.norm(layer.attn_q_norm);
        let k_gain = self.weights.norm(layer.attn_k_norm);
        let score_scale = model.spec().attention_scale;
        let per_part = self.rows_per_part();
        let rows = &mut self.rows;
        let [mut qkv, mut keys, mut values] = [&mut *rows.qkv, &mut *rows.keys, &mut *rows.values];
        let parts = parts_of_texts(self.all.texts, rows.range.clone(), per_part).map(|part| {
            let qkv = take(&mut qkv, part.len * width);
            let keys = take(&mut keys, part.len * n_kv);
            (part.first, qkv, keys, take(&mut values, part.len * n_kv))
        });
        self.team.for_each(parts, |_, (first, qkv, keys, values)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    let kv = keys.chunks_exact_mut(n_kv).zip(values.chunks_exact_mut(n_kv));
                    let rows = qkv.chunks_exact_mut(width).zip(kv);
                    for (t, (row, (key, value))) in rows.enumerate() {
                        let (cos, sin) = tables.at(attention, first + t);
                        let (q, kv) = row.split_at_mut(n_q);
                        let (k, v) = kv.split_at_mut(n_kv);
                        for head in q.chunks_exact_mut(d.size()) {
                            rms_norm_in_place(isa, d, head, q_gain, eps);
                            rope(isa, d, head, cos, sin, score_scale);
                        }
                        for head in k.chunks_exact_mut(d.size()) {
                            rms_norm_in_place(isa, d, head, k_gain, eps);
                            rope(isa, d, head, cos, sin, 1.0);
                        }
                        key.copy_from_slice(k);
                        value.copy_from_slice(v);
                    }
                },
            );
        });
    }

    /// `inputs = softmax(q K^T) V`, the heads side by side.
    fn attend(&mut self, kind: Attention, want: Want) {
        let (isa, model) = (self.isa, self.model);
        let heads = Heads {
            n_head: model.n_head(),
            n_head_kv: model.n_head_kv(),
            head_dim: model.head_dim(),
        };
        let (n_attn, n_kv) = (model.n_attn(), self.n_kv());
        let width = n_attn.size() + 2 * n_kv;
        let window = window(model.spec(), kind);
        let (scratch, AllRows { texts, keys, values }) = (self.scratch, self.all);
        let (range, qkv) = (self.rows.range.clone(), &*self.rows.qkv);
        // Sixteen tokens each, or fewer where threads would have nothing to do.
        let count = range.len().div_ceil(QUERIES).next_multiple_of(self.team.threads());
        let size = range.len().div_ceil(count);
        let parts = || parts_of_texts(texts, range.clone(), size);
        let inputs = self.rows.inputs.parts(n_attn.size(), want, parts().map(|part| part.len));
        self.team.for_each(parts().zip(inputs), |thread, (part, mut inputs)| {
            let kv = KeysValues {
                n: part.text.len,
                keys: &keys[part.text.start * n_kv..],
                values: &values[part.text.start * n_kv..],
            };
            let queries = &qkv[(part.text.start + part.first - range.start) * width..];
            let tokens = part.first..part.first + part.len;
            let own = &mut *lock(&scratch[thread]);
            let (scratch, out) = (&mut own.attention, &mut own.heads);
            attention(isa, heads, queries, width, tokens, kv, window, scratch, out);
            isa.vectorize(
                #[inline(always)]
                || {
                    let rows = out.chunks_exact(n_attn.size()).take(part.len);
                    for (r, row) in rows.enumerate() {
                        inputs.set(isa, n_attn, r, row);
                    }
                },
            );
        });
    }

    /// `branch = inputs * W`
    fn project_branch<K: Dim>(&mut self, k: K, weights: Matrix<'_>) {
        let (isa, n) = (self.isa, self.model.n_embd().size());
        let sizes = shares(n / PANEL, self.team.threads());
        let rows = self.rows.inputs.for_product(self.rows.len(), k.size(), Want::of(&[weights]));
        let out = ColumnsMut::new(self.rows.branch, n);
        let scratch = self.scratch;
        self.team.for_each(out.parts(sizes), |thread, (first, mut out)| {
            let panels = &mut lock(&scratch[thread]).panels;
            matmul::<_, _, M::Types>(isa, k, rows, weights, first, panels, &mut out);
        });
    }

    /// `x += RMSNorm(branch) * gain`
    fn add_branch(&mut self, gain: &[f32]) {
        let (isa, n, eps) = (self.isa, self.model.n_embd(), self.model.spec().rms_eps);
        let part = self.rows_per_part() * n.size();
        let x = self.rows.x.chunks_mut(part);
        let branch = self.rows.branch.chunks(part);
        self.team.for_each(x.zip(branch), |_, (x, branch)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    let rows = x.chunks_exact_mut(n.size()).zip(branch.chunks_exact(n.size()));
                    for (x, branch) in rows {
                        add_rms_norm(isa, n, x, branch, gain, eps);
                    }
                },
            );
        });
    }

    /// `gated = gelu(inputs * Wgate) * (inputs * Wup)`
    fn gate_and_up(&mut self, gate: Matrix<'_>, up: Matrix<'_>) {
        let (isa, n_embd, n) = (self.isa, self.model.n_embd(), self.model.n_ff().size());
        let sizes = shares(n / PANEL, self.team.threads());
        let rows =
            self.rows.inputs.for_product(self.rows.len(), n_embd.size(), Want::of(&[gate, up]));
        let out = ColumnsMut::new(self.rows.gated, n);
        let scratch = self.scratch;
        self.team.for_each(out.parts(sizes), |thread, (first, mut out)| {
            let panels = &mut lock(&scratch[thread]).panels;
            matmul_geglu::<_, _, M::Types>(isa, n_embd, rows, gate, up, first, panels, &mut out);
        });
    }

    /// `inputs = gated`
    fn take_gated(&mut self, want: Want) {
        let (isa, n) = (self.isa, self.model.n_ff());
        let per_part = self.rows_per_part();
        let gated = self.rows.gated.chunks(per_part * n.size());
        let lengths = gated.clone().map(|rows| rows.len() / n.size());
        let inputs = self.rows.inputs.parts(n.size(), want, lengths);
        self.team.for_each(gated.zip(inputs), |_, (gated, mut inputs)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    for (r, row) in gated.chunks_exact(n.size()).enumerate() {
                        inputs.set(isa, n, r, row);
                    }
                },
            );
        });
    }

    /// Floats of a token's keys, and of its values.
    fn n_kv(&self) -> usize {
        self.model.n_head_kv().size() * self.model.head_dim().size()
    }

    /// Rows of a part: small enough that every thread finds several.
    fn rows_per_part(&self) -> usize {
        self.rows.len().div_ceil(PARTS_PER_THREAD * self.team.threads()).max(1)
    }
}

/// Sizes of the parts of a product of `n` panels: a long one for each thread, since weights stream fastest in long
/// runs, then short ones for those who are done first.
pub(crate) fn shares(n: usize, threads: usize) -> impl Iterator<Item = usize> + Send {
    let fair = n.div_ceil(threads);
    let long = if threads == 1 { n } else { (fair - 1) / GROUP * GROUP };
    let short = (n - threads * long).div_ceil(threads).clamp(1, GROUP);
    std::iter::repeat_n(long, if long > 0 { threads } else { 0 }).chain(std::iter::repeat(short))
}

/// What a token sees in a layer of this kind.
fn window(spec: &Spec, kind: Attention) -> Window {
    let before = match kind {
        Attention::Sliding => spec.attention_radius,
        Attention::Full => Window::ALL.before,
    };
    Window { before, after: if spec.causal { 0 } else { before } }
}

/// Parts of an operation for each thread of the team: two leave something to take over from a thread that is late.
const PARTS_PER_THREAD: usize = 2;

/// Some neighbouring tokens of one text.
#[derive(Clone, Copy)]
struct TextPart {
    text: TextRows,
    /// The part's first token, counted from the text's.
    first: usize,
    len: usize,
}

/// Cuts what lies in `range` of each text into parts of `size` tokens.
fn parts_of_texts(
    texts: &[TextRows],
    range: Range<usize>,
    size: usize,
) -> impl Iterator<Item = TextPart> + Clone + Send + '_ {
    texts.iter().flat_map(move |text| {
        let begin = range.start.saturating_sub(text.start);
        let end = range.end.saturating_sub(text.start).min(text.len);
        (begin..end).step_by(size).map(move |first| TextPart {
            text: *text,
            first,
            len: size.min(end - first),
        })
    })
}

pub(crate) fn lock<T>(scratch: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves only scratch behind, which every user writes before reading.
    scratch.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_enough_for_all_panels() {
        for n in 1..200 {
            for threads in 1..9 {
                let sizes: Vec<usize> = shares(n, threads).take(n + threads).collect();
                assert!(sizes.iter().all(|size| *size > 0), "{n} over {threads}: {sizes:?}");
                assert!(sizes.iter().sum::<usize>() >= n, "{n} over {threads}: {sizes:?}");
                assert!(sizes[0] <= n.div_ceil(threads), "{n} over {threads}: {sizes:?}");
            }
        }
    }

    #[test]
    fn the_parts_of_ranges_are_all_tokens_of_all_texts() {
        let texts = [(0, 5), (5, 1), (6, 14)].map(|(start, len)| TextRows { start, len });
        for cut in 1..=20 {
            for size in 1..=6 {
                let ranges = [0..cut, cut..20];
                let parts = ranges.map(|range| parts_of_texts(&texts, range, size));
                let rows = parts.into_iter().flatten().flat_map(|part| {
                    assert!(part.len <= size && part.first + part.len <= part.text.len);
                    let start = part.text.start + part.first;
                    start..start + part.len
                });
                assert!(rows.eq(0..20), "cut at {cut}, parts of {size}");
            }
        }
    }
}
