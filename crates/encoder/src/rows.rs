//! The rows of a pass on their way through the layers, and the shares of them that single threads take.

use crate::inputs::{Inputs, take};
use std::ops::Range;

/// Where a text's rows lie.
#[derive(Clone, Copy, Debug)]
pub struct TextRows {
    pub start: usize,
    pub len: usize,
}

/// What every thread may read of all rows of a pass.
#[derive(Clone, Copy)]
pub struct AllRows<'a> {
    pub texts: &'a [TextRows],
    /// The keys that attention reads: rows x n_head_kv head_dim of the layer.
    pub keys: &'a [f32],
    /// The values that attention reads, in the same layout.
    pub values: &'a [f32],
}

/// All rows of a pass, or some neighbouring ones.
pub struct RowsMut<'a> {
    /// Which of the pass's rows these are.
    pub range: Range<usize>,
    /// The residual stream: rows x n_embd.
    pub x: &'a mut [f32],
    /// The residual stream before the first layer, if the layers' own inputs are made of it: rows x n_embd.
    pub embedded: &'a mut [f32],
    /// A layer's own input: rows x n_layer_input.
    pub own: &'a mut [f32],
    /// What the next product reads.
    pub inputs: Inputs<'a>,
    /// Queries, keys and values side by side: rows x (n_head + 2 n_head_kv) head_dim, with space for the widest layer's.
    pub qkv: &'a mut [f32],
    /// Keys of the next layer: rows x n_head_kv head_dim of that layer.
    pub keys: &'a mut [f32],
    /// Values of the next layer, in the same layout.
    pub values: &'a mut [f32],
    /// A gated or feed-forward network between its two projections: rows x n_ff or n_layer_input, with space for the
    /// wider of the two.
    pub hidden: &'a mut [f32],
    /// What a layer's branch adds to the residual stream: rows x n_embd.
    pub branch: &'a mut [f32],
}

impl<'a> RowsMut<'a> {
    /// The number of rows.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Splits the rows into shares of `size` rows; the last may be smaller.
    pub fn shares(self, size: usize) -> impl Iterator<Item = RowsMut<'a>> + Send {
        let (all, mut rest) = (self.len(), self);
        (0..all).step_by(size).map(move |first| rest.cut_off(size.min(all - first)))
    }

    /// Cuts the first `n` rows off.
    fn cut_off(&mut self, n: usize) -> RowsMut<'a> {
        let all = self.len();
        let cut = |buffer: &mut &'a mut [f32]| {
            let width = buffer.len() / all;
            take(buffer, n * width)
        };
        let start = self.range.start;
        self.range.start += n;
        RowsMut {
            range: start..start + n,
            x: cut(&mut self.x),
            embedded: cut(&mut self.embedded),
            own: cut(&mut self.own),
            inputs: self.inputs.cut_off(all, n),
            qkv: cut(&mut self.qkv),
            keys: cut(&mut self.keys),
            values: cut(&mut self.values),
            hidden: cut(&mut self.hidden),
            branch: cut(&mut self.branch),
        }
    }
}
