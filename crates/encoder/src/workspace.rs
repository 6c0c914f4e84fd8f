//! The memory of a forward pass. It depends only on the model's dimensions and the number of rows, with space in
//! addition, for each thread, for the panels that it repacks, the up projections of a few panels for all rows, a row,
//! and the scores and outputs of sixteen tokens.
//!
//! Buffers grow to fit the largest pass so far and are kept, so that a pass of a size seen before allocates nothing. A
//! thread's panels, up projections and scores grow when it first takes a part that needs them.

use crate::inputs::{InputBuffers, Want};
use crate::kernels::attention::{AttentionScratch, QUERIES};
use crate::kernels::matrix::PanelScratch;
use crate::kernels::tile::BlockSums;
use crate::rows::{AllRows, RowsMut, TextRows};
use crate::tensors::wanted_anywhere;
use monomorph_quant::BLOCK;
use monomorph_spec::Spec;
use std::sync::Mutex;

/// All buffers of a forward pass. `RowsMut` says what most of them are for.
#[derive(Default)]
pub struct Workspace {
    /// The texts of the pass.
    texts: Vec<TextRows>,
    plan: Plan,
    x: Vec<f32>,
    inputs: InputBuffers,
    qkv: Vec<f32>,
    hidden: Vec<f32>,
    branch: Vec<f32>,
    /// One for layers with even numbers and one for those with odd numbers: a thread that has finished a layer writes
    /// the next layer's keys and values while others still read this layer's.
    keys_values: [KeyValueBuffers; 2],
    /// Pooled vectors and the dense heads' outputs: texts x the widest of them.
    pooled: [Vec<f32>; 2],
    /// One per thread.
    scratch: Vec<Mutex<ThreadScratch>>,
}

/// The keys and values of one layer.
#[derive(Default)]
struct KeyValueBuffers {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// The buffers of a pass from one layer's attention to the next layer's.
pub struct Step<'a> {
    pub all: AllRows<'a>,
    pub rows: RowsMut<'a>,
    pub scratch: &'a [Mutex<ThreadScratch>],
    /// For pooling and the dense heads, after the last layer.
    pub pooled: &'a mut [Vec<f32>; 2],
}

/// The buffers of one thread.
#[derive(Default)]
pub struct ThreadScratch {
    pub panels: PanelScratch,
    pub attention: AttentionScratch,
    /// Attention's output for [`QUERIES`] tokens.
    pub heads: Vec<f32>,
    /// A row that is normalised before a product reads it.
    pub row: Vec<f32>,
}

/// Elements of each buffer for a given number of rows.
#[derive(Clone, Copy, Default)]
struct Plan {
    rows: usize,
    x: usize,
    inputs: usize,
    qkv: usize,
    keys: usize,
    values: usize,
    hidden: usize,
    pooled: usize,
}

impl Plan {
    fn new(spec: &Spec, rows: usize, texts: usize) -> Plan {
        let (n_attn, n_kv) = (spec.n_attn(), spec.n_kv());
        let widest = spec.dense.iter().map(|head| head.weight.rows).fold(spec.n_embd, usize::max);
        let k = spec.n_embd.max(spec.n_ff).max(n_attn);
        Plan {
            rows,
            x: rows * spec.n_embd,
            inputs: (rows * k).max(texts * widest),
            qkv: rows * (n_attn + 2 * n_kv),
            keys: rows * n_kv,
            values: rows * n_kv,
            hidden: rows * spec.n_ff,
            pooled: texts * widest,
        }
    }

    /// Bytes of all buffers except the threads' own, with inputs in the wanted forms.
    fn bytes(&self, want: Want) -> usize {
        let form = |wanted: bool, bytes: usize| if wanted { bytes * self.inputs } else { 0 };
        let sums = form(want.sums, size_of::<BlockSums>()) / BLOCK;
        let keys_values = 2 * (self.keys + self.values);
        4 * (2 * self.x + self.qkv + keys_values + self.hidden + 2 * self.pooled)
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
    /// Prepares for a pass over these texts, given as token ids.
    pub(crate) fn lay_out(&mut self, spec: &Spec, want: Want, texts: &[&[u32]], threads: usize) {
        self.texts.clear();
        let mut start = 0;
        for ids in texts {
            self.texts.push(TextRows { start, len: ids.len() });
            start += ids.len();
        }
        let plan = Plan::new(spec, start, texts.len());
        self.plan = plan;
        grow(&mut self.x, plan.x);
        grow(&mut self.branch, plan.x);
        grow(&mut self.qkv, plan.qkv);
        for layer in &mut self.keys_values {
            grow(&mut layer.keys, plan.keys);
            grow(&mut layer.values, plan.values);
        }
        grow(&mut self.hidden, plan.hidden);
        self.pooled.iter_mut().for_each(|pooled| grow(pooled, plan.pooled));
        self.inputs.grow(start.max(texts.len()), plan.inputs, want);
        while self.scratch.len() < threads {
            self.scratch.push(Mutex::default());
        }
        for thread in &mut self.scratch {
            let own = thread.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
            grow(&mut own.heads, QUERIES * spec.n_attn());
            grow(&mut own.row, spec.n_embd);
        }
    }

    /// The buffers of the current pass, from the attention of layer `n - 1` to that of layer `n`. Step 0 also serves
    /// before the first layer and after the last, where keys and values do not matter.
    pub(crate) fn step(&mut self, n: usize) -> Step<'_> {
        let plan = self.plan;
        let [even, odd] = &mut self.keys_values;
        let (coming, past) = if n.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        Step {
            all: AllRows {
                texts: &self.texts,
                keys: &past.keys[..plan.keys],
                values: &past.values[..plan.values],
            },
            rows: RowsMut {
                range: 0..plan.rows,
                x: &mut self.x[..plan.x],
                inputs: self.inputs.all(),
                qkv: &mut self.qkv[..plan.qkv],
                keys: &mut coming.keys[..plan.keys],
                values: &mut coming.values[..plan.values],
                hidden: &mut self.hidden[..plan.hidden],
                branch: &mut self.branch[..plan.x],
            },
            scratch: &self.scratch,
            pooled: &mut self.pooled,
        }
    }
}

fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}
