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
use monomorph_spec::{Heads, Spec, Window};
use std::sync::Mutex;

/// All buffers of a forward pass. `RowsMut` says what most of them are for.
#[derive(Default)]
pub struct Workspace {
    /// The texts of the pass.
    texts: Vec<TextRows>,
    plan: Plan,
    x: Vec<f32>,
    embedded: Vec<f32>,
    own: Vec<f32>,
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
    embedded: usize,
    own: usize,
    inputs: usize,
    qkv: usize,
    /// Keys, and values, of the widest layer.
    kv: usize,
    hidden: usize,
    pooled: usize,
}

impl Plan {
    fn new(spec: &Spec, rows: usize, texts: usize) -> Plan {
        let widest = spec.dense.iter().map(|head| head.weight.rows).fold(spec.n_embd, usize::max);
        let hidden = spec.n_ff.max(spec.n_layer_input());
        let k = spec.n_embd.max(hidden).max(widest_heads(spec, Heads::n_attn));
        Plan {
            rows,
            x: rows * spec.n_embd,
            embedded: if spec.layer_inputs.is_some() { rows * spec.n_embd } else { 0 },
            own: rows * spec.n_layer_input(),
            inputs: (rows * k).max(texts * widest),
            qkv: rows * widest_heads(spec, |heads| heads.n_attn() + 2 * heads.n_kv()),
            kv: rows * widest_heads(spec, Heads::n_kv),
            hidden: rows * hidden,
            pooled: texts * widest,
        }
    }

    /// Bytes of all buffers except the threads' own, with inputs in the wanted forms.
    fn bytes(&self, want: Want) -> usize {
        let form = |wanted: bool, bytes: usize| if wanted { bytes * self.inputs } else { 0 };
        let sums = form(want.sums, size_of::<BlockSums>()) / BLOCK;
        let keys_values = 2 * (self.kv + self.kv);
        let streams = 2 * self.x + self.embedded + self.own;
        4 * (streams + self.qkv + keys_values + self.hidden + 2 * self.pooled)
            + form(want.ints, size_of::<i16>())
            + sums
            + form(want.floats, size_of::<f32>())
    }
}

/// The largest width of the heads of any layer.
fn widest_heads(spec: &Spec, width: impl Fn(&Heads) -> usize) -> usize {
    width(&spec.heads()).max(width(&spec.heads_of(Window::Full)))
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
        grow(&mut self.embedded, plan.embedded);
        grow(&mut self.own, plan.own);
        grow(&mut self.branch, plan.x);
        grow(&mut self.qkv, plan.qkv);
        for layer in &mut self.keys_values {
            grow(&mut layer.keys, plan.kv);
            grow(&mut layer.values, plan.kv);
        }
        grow(&mut self.hidden, plan.hidden);
        self.pooled.iter_mut().for_each(|pooled| grow(pooled, plan.pooled));
        self.inputs.grow(start.max(texts.len()), plan.inputs, want);
        while self.scratch.len() < threads {
            self.scratch.push(Mutex::default());
        }
        for thread in &mut self.scratch {
            let own = thread.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
            grow(&mut own.heads, QUERIES * widest_heads(spec, Heads::n_attn));
            grow(&mut own.row, spec.n_embd);
        }
    }

    /// The buffers of the current pass, from the attention of layer `n - 1` to that of layer `n`. Step 0 also serves
    /// before the first layer and after the last, where keys and values do not matter.
    pub(crate) fn step(&mut self, spec: &Spec, n: usize) -> Step<'_> {
        let plan = self.plan;
        let kv = |layer: Option<usize>| {
            let layer = layer.and_then(|layer| spec.layers.get(layer));
            layer.map_or(0, |layer| plan.rows * spec.heads_of(layer.window).n_kv())
        };
        let (kv_past, kv_coming) = (kv(n.checked_sub(1)), kv(Some(n)));
        let [even, odd] = &mut self.keys_values;
        let (coming, past) = if n.is_multiple_of(2) { (even, odd) } else { (odd, even) };
        Step {
            all: AllRows {
                texts: &self.texts,
                keys: &past.keys[..kv_past],
                values: &past.values[..kv_past],
            },
            rows: RowsMut {
                range: 0..plan.rows,
                x: &mut self.x[..plan.x],
                embedded: &mut self.embedded[..plan.embedded],
                own: &mut self.own[..plan.own],
                inputs: self.inputs.all(),
                qkv: &mut self.qkv[..plan.qkv],
                keys: &mut coming.keys[..kv_coming],
                values: &mut coming.values[..kv_coming],
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
