//! The memory of a forward pass: a function of the model's dimensions and the number of rows, and for each thread
//! room for the panels it unpacks and for the scores of sixteen tokens.
//!
//! Buffers grow to the largest pass so far and stay, so that a pass of a size seen before allocates nothing; a thread's
//! own grow when it first takes a part that needs them.

use super::TextRows;
use super::inputs::{Inputs, Want};
use crate::kernels::attention::{AttentionScratch, QUERIES};
use crate::kernels::tile::BlockSums;
use crate::kernels::unpack::PanelScratch;
use crate::quant::{BLOCK, panel_kind};
use monomorph_gguf::Spec;
use std::sync::Mutex;

/// All buffers of a forward pass.
#[derive(Default)]
pub struct Workspace {
    /// The texts of the pass.
    pub(super) texts: Vec<TextRows>,
    /// The residual stream: rows x n_embd.
    pub(super) x: Vec<f32>,
    /// What the next product reads.
    pub(super) inputs: Inputs,
    /// Queries, keys and values side by side: rows x (n_head + 2 n_head_kv) head_dim.
    pub(super) qkv: Vec<f32>,
    /// Keys: rows x n_head_kv head_dim.
    pub(super) keys: Vec<f32>,
    /// Values: rows x n_head_kv head_dim.
    pub(super) values: Vec<f32>,
    /// The gated feed-forward layer: rows x n_ff.
    pub(super) gated: Vec<f32>,
    /// What a layer's branch adds to the residual stream: rows x n_embd.
    pub(super) branch: Vec<f32>,
    /// Pooled vectors and the dense heads' outputs: texts x the widest of them.
    pub(super) pooled: [Vec<f32>; 2],
    /// One a thread.
    pub(super) threads: Vec<Mutex<ThreadScratch>>,
}

/// What a thread needs for itself.
#[derive(Default)]
pub struct ThreadScratch {
    pub panels: PanelScratch,
    pub attention: AttentionScratch,
    /// Attention's output for [`QUERIES`] tokens.
    pub heads: Vec<f32>,
}

/// Elements of each buffer for a given number of rows.
struct Plan {
    x: usize,
    inputs: usize,
    qkv: usize,
    keys: usize,
    values: usize,
    gated: usize,
    pooled: usize,
}

impl Plan {
    fn new(spec: &Spec, rows: usize, texts: usize) -> Plan {
        let (n_attn, n_kv) = (spec.n_head * spec.head_dim, spec.n_head_kv * spec.head_dim);
        let widest = spec.dense.iter().map(|head| head.rows).fold(spec.n_embd, usize::max);
        let k = spec.n_embd.max(spec.n_ff).max(n_attn);
        Plan {
            x: rows * spec.n_embd,
            inputs: (rows * k).max(texts * widest),
            qkv: rows * (n_attn + 2 * n_kv),
            keys: rows * n_kv,
            values: rows * n_kv,
            gated: rows * spec.n_ff,
            pooled: texts * widest,
        }
    }

    /// Bytes of all buffers but the threads' own, with inputs in the forms that the weights want.
    fn bytes(&self, want: Want) -> usize {
        let form = |wanted: bool, bytes: usize| if wanted { bytes * self.inputs } else { 0 };
        let sums = form(want.sums, size_of::<BlockSums>()) / BLOCK;
        4 * (2 * self.x + self.qkv + self.keys + self.values + self.gated + 2 * self.pooled)
            + form(want.ints, size_of::<i16>())
            + sums
            + form(want.floats, size_of::<f32>())
    }
}

/// Bytes that one pass over one text of `tokens` tokens needs, without the threads' scratch. In a batch each thread has
/// a pass of its own.
pub fn bytes_for(spec: &Spec, tokens: usize) -> usize {
    Plan::new(spec, tokens, 1).bytes(wanted_anywhere(spec))
}

impl Workspace {
    /// Prepares for a pass over texts of these ids.
    pub(super) fn lay_out(&mut self, spec: &Spec, texts: &[&[u32]], threads: usize) {
        self.texts.clear();
        let mut start = 0;
        for ids in texts {
            self.texts.push(TextRows { start, len: ids.len() });
            start += ids.len();
        }
        let plan = Plan::new(spec, start, texts.len());
        grow(&mut self.x, plan.x);
        grow(&mut self.branch, plan.x);
        grow(&mut self.qkv, plan.qkv);
        grow(&mut self.keys, plan.keys);
        grow(&mut self.values, plan.values);
        grow(&mut self.gated, plan.gated);
        self.pooled.iter_mut().for_each(|pooled| grow(pooled, plan.pooled));
        self.inputs.grow(start.max(texts.len()), plan.inputs, wanted_anywhere(spec));
        while self.threads.len() < threads {
            self.threads.push(Mutex::default());
        }
        for thread in &mut self.threads {
            let heads =
                &mut thread.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).heads;
            grow(heads, QUERIES * spec.n_head * spec.head_dim);
        }
    }

    /// Rows of the pass that is laid out.
    pub(super) fn rows(&self) -> usize {
        self.texts.last().map_or(0, |text| text.start + text.len)
    }
}

/// The input forms that any product of the model asks for.
fn wanted_anywhere(spec: &Spec) -> Want {
    Want::of_kinds(spec.matrices().map(|matrix| panel_kind(matrix.kind)))
}

fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}
