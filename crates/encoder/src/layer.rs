//! One transformer layer, with a function for each operation, in the order of the model's description.

use crate::Pass;
use crate::dim::Dim;
use crate::inputs::{Want, take};
use crate::kernels::activation::activate;
use crate::kernels::attention::{Heads, KeysValues, QUERIES, Visible, attention};
use crate::kernels::columns::ColumnsMut;
use crate::kernels::matmul::{matmul, matmul_gated};
use crate::kernels::residual::{add, scale};
use crate::kernels::rope::rope as rotate;
use crate::model::Model;
use crate::norm::NormView;
use crate::parts::{part_sizes, parts_of, parts_of_texts};
use crate::rows::AllRows;
use crate::weights::Located;
use monomorph_simd::{Isa, PANEL};
use monomorph_spec::{Activation, Block, Join, Layer, Linear, Norm, Qkv, Window};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is wrong where a description asks for an operation that was not compiled.
pub(crate) const LACKING: &str = "an operation that the Ops of the model lack";

/// `with_activation!(Model, activation, |A| body)` runs the body with the type `A` set to the activation function. It
/// is compiled only for the functions that the model uses. A function that is missing from the list is a compile-time
/// error.
macro_rules! with_activation {
    ($model:ty, $activation:expr, |$A:ident| $body:expr) => {
        with_activation!(@ $model, $activation, $A, $body, GeluTanh, GeluErf, Silu)
    };
    (@ $model:ty, $activation:expr, $A:ident, $body:expr, $($name:ident),*) => {
        match $activation {
            $(Activation::$name => {
                if const { <$model>::OPS.has(Activation::$name) } {
                    type $A = $crate::kernels::activation::$name;
                    $body
                } else {
                    unreachable!("{LACKING}")
                }
            })*
        }
    };
}

pub(crate) use with_activation;

/// `with_heads!(pass, layer, |heads, n_attn| body)` runs the body with the dimensions of the layer's attention heads. For
/// layers with other heads than most it is compiled a second time, if the model has such.
macro_rules! with_heads {
    ($pass:ident, $layer:ident, |$heads:ident, $n_attn:ident| $body:expr) => {{
        let model = $pass.model;
        match $layer.window {
            Window::Full if const { M::OPS.full_heads } && model.spec().full_heads.is_some() => {
                let ($heads, $n_attn) = (
                    Heads {
                        n_head: model.n_head(),
                        n_head_kv: model.full_n_head_kv(),
                        head_dim: model.full_head_dim(),
                    },
                    model.full_n_attn(),
                );
                $body
            }
            Window::Full | Window::Sliding(_) => {
                let ($heads, $n_attn) = (
                    Heads {
                        n_head: model.n_head(),
                        n_head_kv: model.n_head_kv(),
                        head_dim: model.head_dim(),
                    },
                    model.n_attn(),
                );
                $body
            }
        }
    }};
}

impl<'a, I: Isa, M: Model> Pass<'a, I, M> {
    /// `q, k, v = norm(x) * [Wq Wk Wv]`, with RoPE: the part of a layer before attention, which needs the keys and values
    /// of all rows.
    pub(crate) fn project(&mut self, layer: &Layer, block: &Block<Located>) {
        self.take_stream(&block.attn_norm, self.want(block.qkv.linears()));
        with_heads!(self, layer, |heads, n_attn| {
            self.project_qkv(n_attn.size() + 2 * n_kv(heads), &block.qkv);
            self.norm_and_rotate(heads, n_attn, layer.rope, block);
        });
    }

    /// The next part of the layer: attention's branch joins the residual stream.
    ///
    /// For the longest texts, attention is the longest part of a layer, so `cancel` ends it early. See
    /// [`Encoder::step`](crate::Encoder::step).
    pub(crate) fn attend_and_join(
        &mut self,
        number: usize,
        layer: &Layer,
        block: &Block<Located>,
        cancel: &AtomicBool,
    ) {
        let want = self.want(&[block.attn_output]);
        with_heads!(self, layer, |heads, n_attn| {
            self.attend(heads, n_attn, number, layer.window, want, cancel);
            self.project_branch(n_attn, &block.attn_output);
        });
        self.join(&block.attn_join);
    }

    /// The first half of the feed-forward network: its hidden values.
    pub(crate) fn widen(&mut self, block: &Block<Located>) {
        self.take_stream(&block.ffn_norm, self.want(&[block.gate.unwrap_or(block.up), block.up]));
        match &block.gate {
            Some(gate) if const { M::OPS.gated } => self.gate_and_up(gate, block),
            None if const { M::OPS.plain } => self.project_hidden(self.model.n_ff(), &block.up),
            _ => unreachable!("{LACKING}"),
        }
    }

    /// The other half: the network's branch joins the residual stream.
    pub(crate) fn narrow_and_join(&mut self, block: &Block<Located>) {
        self.take_hidden(block, self.want(&[block.down]));
        self.project_branch(self.model.n_ff(), &block.down);
        self.join(&block.ffn_join);
    }

    /// `x *= output_scale`
    pub(crate) fn scale_output(&mut self, block: &Block<Located>) {
        let Some(factor) = block.output_scale else { return };
        if !const { M::OPS.output_scale } {
            unreachable!("{LACKING}");
        }
        let (isa, n, factor) = (self.isa, self.model.n_embd(), self.weights.vector(factor)[0]);
        let x = self.rows.x.chunks_mut(self.rows_per_part() * n.size());
        self.team.for_each(x, |_, x| {
            isa.vectorize(
                #[inline(always)]
                || x.chunks_exact_mut(n.size()).for_each(|x| scale(isa, n, x, factor)),
            );
        });
    }

    /// The forms in which these linear maps read their inputs.
    pub(crate) fn want(&self, linears: &[Linear<Located>]) -> Want {
        Want::of_kinds(linears.iter().map(|linear| self.weights.matrix(*linear).panel_kind()))
    }

    /// `inputs = norm(x)`, or `inputs = x` if there is no norm.
    pub(crate) fn take_stream(&mut self, norm: &Option<Norm<Located>>, want: Want) {
        let x = std::mem::take(&mut self.rows.x);
        self.take_rows(x, norm, want);
        self.rows.x = x;
    }

    /// `inputs = norm(x)`, for these rows of n_embd values.
    pub(crate) fn take_rows(&mut self, x: &[f32], norm: &Option<Norm<Located>>, want: Want) {
        let (isa, n) = (self.isa, self.model.n_embd());
        let norm = norm.as_ref().map(|norm| self.norm(norm));
        let per_part = self.rows_per_part();
        let scratch = self.scratch;
        let x = x.chunks(per_part * n.size());
        let lengths = x.clone().map(|x| x.len() / n.size());
        let inputs = self.rows.inputs.parts(n.size(), want, lengths);
        self.team.for_each(x.zip(inputs), |thread, (x, mut inputs)| {
            let row = &mut lock(&scratch[thread]).row;
            isa.vectorize(
                #[inline(always)]
                || {
                    for (r, x) in x.chunks_exact(n.size()).enumerate() {
                        match norm {
                            Some(norm) => inputs.norm::<I, M, _>(isa, n, r, x, norm, row),
                            None => inputs.set(isa, n, r, x),
                        }
                    }
                },
            );
        });
    }

    /// `qkv = inputs * [Wq Wk Wv]`
    fn project_qkv(&mut self, width: usize, qkv: &Qkv<Located>) {
        let (isa, n_embd) = (self.isa, self.model.n_embd());
        let (weights, scratch) = (self.weights, self.scratch);
        let want = self.want(qkv.linears());
        let rows = self.rows.inputs.for_product(self.rows.len(), n_embd.size(), want);
        let out = ColumnsMut::new(&mut self.rows.qkv[..self.rows.range.len() * width], width);
        let parts = out.parts(part_sizes(width / PANEL, self.team.threads()));
        self.team.for_each(parts, |thread, (first, mut out)| {
            let panels = &mut lock(&scratch[thread]).panels;
            // A part may span several of the matrices.
            let mut skip = first;
            for linear in qkv.linears() {
                let n = linear.weight.rows / PANEL;
                if skip >= n {
                    skip -= n;
                    continue;
                }
                let weights = weights.matrix(*linear);
                let width = ((n - skip) * PANEL).min(out.width());
                let (mut here, rest) = out.split_at(width);
                matmul::<_, _, M::Types>(isa, n_embd, rows, weights, skip, panels, &mut here);
                (skip, out) = (0, rest);
            }
        });
    }

    /// Normalises the heads of queries, keys and values, applies RoPE to queries and keys, and copies keys and values to
    /// where attention reads them. Queries are also scaled.
    fn norm_and_rotate<G: Dim, D: Dim, A: Dim>(
        &mut self,
        heads: Heads<M::NHead, G, D>,
        n_attn: A,
        rope: Option<u8>,
        block: &Block<Located>,
    ) {
        let (isa, d, tables) = (self.isa, heads.head_dim, self.rope);
        let (n_q, n_kv) = (n_attn.size(), n_kv(heads));
        let width = n_q + 2 * n_kv;
        let norms = block.qk_norm.map(|norms| norms.map(|norm| self.norm(&norm)));
        let v_norm = block.v_norm.then(|| NormView {
            kind: self.model.spec().norm,
            gain: self.ones,
            bias: None,
        });
        let score_scale = self.model.spec().score_scale;
        let before = self.before.map_or(0, |before| before.tokens());
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
                        let angles = rope.map(|rope| tables.at(rope, before + first + t));
                        let (q, kv) = row.split_at_mut(n_q);
                        let (k, v) = kv.split_at_mut(n_kv);
                        for (heads, which, factor) in [(q, 0, score_scale), (&mut *k, 1, 1.0)] {
                            for head in heads.chunks_exact_mut(d.size()) {
                                match &norms {
                                    Some(norms) if const { M::OPS.qk_norm } => {
                                        norms[which].in_place::<I, M, _>(isa, d, head);
                                    }
                                    Some(_) => unreachable!("{LACKING}"),
                                    None => {}
                                }
                                match angles {
                                    Some((cos, sin)) if const { M::OPS.rope } => {
                                        rotate(isa, d, head, cos, sin, factor);
                                    }
                                    Some(_) => unreachable!("{LACKING}"),
                                    None => scale(isa, d, head, factor),
                                }
                            }
                        }
                        match v_norm {
                            Some(norm) if const { M::OPS.v_norm } => {
                                for head in v.chunks_exact_mut(d.size()) {
                                    norm.in_place::<I, M, _>(isa, d, head);
                                }
                            }
                            Some(_) => unreachable!("{LACKING}"),
                            None => {}
                        }
                        key.copy_from_slice(k);
                        value.copy_from_slice(v);
                    }
                },
            );
        });
    }

    /// `inputs = softmax(q K^T) V`, with the heads concatenated.
    fn attend<G: Dim, D: Dim, A: Dim>(
        &mut self,
        heads: Heads<M::NHead, G, D>,
        n_attn: A,
        layer: usize,
        window: Window,
        want: Want,
        cancel: &AtomicBool,
    ) {
        let (isa, model) = (self.isa, self.model);
        let n_kv = n_kv(heads);
        let width = n_attn.size() + 2 * n_kv;
        let visible = visible(window, model.spec().causal);
        let (scratch, AllRows { texts, keys, values }) = (self.scratch, self.all);
        let (range, qkv) = (self.rows.range.clone(), &*self.rows.qkv);
        let before = self.before.map(|before| before.layer(layer, n_kv)).unwrap_or_default();
        // Sixteen tokens each, or fewer if some threads would otherwise have nothing to do.
        let count = range.len().div_ceil(QUERIES).next_multiple_of(self.team.threads());
        let size = range.len().div_ceil(count);
        let parts = || parts_of_texts(texts, range.clone(), size);
        let inputs = self.rows.inputs.parts(n_attn.size(), want, parts().map(|part| part.len));
        self.team.for_each(parts().zip(inputs), |thread, (part, mut inputs)| {
            if cancel.load(Ordering::Relaxed) {
                return;
            }
            let rest = KeysValues {
                n: part.text.len,
                keys: &keys[part.text.start * n_kv..],
                values: &values[part.text.start * n_kv..],
            };
            let queries = &qkv[(part.text.start + part.first - range.start) * width..];
            let first = before.n + part.first;
            let tokens = first..first + part.len;
            let own = &mut *lock(&scratch[thread]);
            let (scratch, out) = (&mut own.attention, &mut own.heads);
            if const { M::OPS.prefix } {
                let kv = [before, rest];
                attention(isa, heads, queries, width, tokens, kv, visible, scratch, out);
            } else {
                attention(isa, heads, queries, width, tokens, [rest], visible, scratch, out);
            }
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

    /// `branch = inputs * W + b`
    pub(crate) fn project_branch<K: Dim>(&mut self, k: K, linear: &Linear<Located>) {
        let branch = std::mem::take(&mut self.rows.branch);
        self.product(k, linear, ColumnsMut::new(branch, self.model.n_embd().size()));
        self.rows.branch = branch;
    }

    /// `hidden = inputs * W + b`, with `n` outputs
    pub(crate) fn project_hidden<N: Dim>(&mut self, n: N, linear: &Linear<Located>) {
        let hidden = std::mem::take(&mut self.rows.hidden);
        let out = ColumnsMut::new(&mut hidden[..self.rows.len() * n.size()], n.size());
        self.product(self.model.n_embd(), linear, out);
        self.rows.hidden = hidden;
    }

    /// `out = inputs * W + b`
    fn product<K: Dim>(&self, k: K, linear: &Linear<Located>, out: ColumnsMut<'_>) {
        self.product_from(k, linear, 0, out);
    }

    /// `out = inputs * W + b`, with the rows of `W` and `b` from panel `skip` on
    pub(crate) fn product_from<K: Dim>(
        &self,
        k: K,
        linear: &Linear<Located>,
        skip: usize,
        out: ColumnsMut<'_>,
    ) {
        let (isa, scratch) = (self.isa, self.scratch);
        let (weights, want) = (self.weights.matrix(*linear), self.want(&[*linear]));
        let sizes = part_sizes(out.width() / PANEL, self.team.threads());
        let rows = self.rows.inputs.for_product(self.rows.len(), k.size(), want);
        self.team.for_each(out.parts(sizes), |thread, (first, mut out)| {
            let panels = &mut lock(&scratch[thread]).panels;
            matmul::<_, _, M::Types>(isa, k, rows, weights, skip + first, panels, &mut out);
        });
    }

    /// Joins the branch to the residual stream.
    pub(crate) fn join(&mut self, join: &Join<Located>) {
        let (isa, n) = (self.isa, self.model.n_embd());
        let norm = match join {
            Join::Add => None,
            Join::AddNormed(norm) | Join::NormOfSum(norm) => Some(self.norm(norm)),
        };
        let part = self.rows_per_part() * n.size();
        let x = self.rows.x.chunks_mut(part);
        let branch = self.rows.branch.chunks_mut(part);
        self.team.for_each(x.zip(branch), |_, (x, branch)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    let rows = x.chunks_exact_mut(n.size()).zip(branch.chunks_exact_mut(n.size()));
                    for (x, branch) in rows {
                        match (join, &norm) {
                            (Join::Add, _) if const { M::OPS.add } => add(isa, n, x, branch),
                            (Join::AddNormed(_), Some(norm)) if const { M::OPS.add_normed } => {
                                norm.add::<I, M, _>(isa, n, x, branch);
                            }
                            (Join::NormOfSum(_), Some(norm)) if const { M::OPS.norm_of_sum } => {
                                add(isa, n, x, branch);
                                norm.in_place::<I, M, _>(isa, n, x);
                            }
                            // Without a wildcard, so that a new kind of join has to be added above.
                            (Join::Add | Join::AddNormed(_) | Join::NormOfSum(_), _) => {
                                unreachable!("{LACKING}")
                            }
                        }
                    }
                },
            );
        });
    }

    /// `hidden = activation(inputs * Wgate + b) * (inputs * Wup + b)`
    fn gate_and_up(&mut self, gate: &Linear<Located>, block: &Block<Located>) {
        let (isa, n_embd, scratch) = (self.isa, self.model.n_embd(), self.scratch);
        let (linears, want) = ([*gate, block.up], self.want(&[*gate, block.up]));
        let pair = linears.map(|linear| self.weights.matrix(linear));
        let rows = self.rows.inputs.for_product(self.rows.len(), n_embd.size(), want);
        let n_ff = self.model.n_ff().size();
        let out = ColumnsMut::new(&mut self.rows.hidden[..self.rows.range.len() * n_ff], n_ff);
        let parts = out.parts(part_sizes(n_ff / PANEL, self.team.threads()));
        self.team.for_each(parts, |thread, (first, mut out)| {
            let (panels, out) = (&mut lock(&scratch[thread]).panels, &mut out);
            with_activation!(M, block.activation, |A| {
                matmul_gated::<_, _, M::Types, A>(isa, n_embd, rows, pair, first, panels, out);
            });
        });
    }

    /// `inputs = hidden`, or `inputs = activation(hidden)` if the network has no gate.
    fn take_hidden(&mut self, block: &Block<Located>, want: Want) {
        let (isa, n) = (self.isa, self.model.n_ff());
        let per_part = self.rows_per_part();
        let hidden =
            self.rows.hidden[..self.rows.range.len() * n.size()].chunks_mut(per_part * n.size());
        let lengths = parts_of(self.rows.range.len(), per_part);
        let inputs = self.rows.inputs.parts(n.size(), want, lengths);
        self.team.for_each(hidden.zip(inputs), |_, (hidden, mut inputs)| {
            isa.vectorize(
                #[inline(always)]
                || {
                    if const { M::OPS.plain } && block.gate.is_none() {
                        with_activation!(M, block.activation, |A| activate::<A, _>(isa, hidden));
                    }
                    for (r, row) in hidden.chunks_exact(n.size()).enumerate() {
                        inputs.set(isa, n, r, row);
                    }
                },
            );
        });
    }

    /// One of the model's norms.
    pub(crate) fn norm(&self, norm: &Norm<Located>) -> NormView<'a> {
        NormView::new(self.model.spec().norm, self.weights, norm)
    }

    /// The number of rows in a part, small enough that there are several parts for every thread.
    pub(crate) fn rows_per_part(&self) -> usize {
        self.rows.len().div_ceil(PARTS_PER_THREAD * self.team.threads()).max(1)
    }
}

/// The number of floats in a token's keys, and in its values.
fn n_kv<H: Dim, G: Dim, D: Dim>(heads: Heads<H, G, D>) -> usize {
    heads.n_head_kv.size() * heads.head_dim.size()
}

/// The keys that a token sees in a layer with this window.
fn visible(window: Window, causal: bool) -> Visible {
    let before = match window {
        Window::Sliding(radius) => radius,
        Window::Full => Visible::ALL.before,
    };
    Visible { before, after: if causal { 0 } else { before } }
}

/// Parts of an operation for each thread of the team. With two, others can take over a part from a thread that is late.
const PARTS_PER_THREAD: usize = 2;

pub(crate) fn lock<T>(scratch: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic can damage only scratch data, which every user writes before reading.
    scratch.lock().unwrap_or_else(PoisonError::into_inner)
}
