//! The forward pass: token ids in, one vector a text out.
//!
//! [`Encoder::forward`] reads as the model's paper does: embed, layers, pool, dense heads. Several texts may share a
//! pass; their rows lie one text after the other, without padding, and every row's bits are those it would have
//! alone.
//!
//! Invariant: between two operations every row is whole. Operations on rows cut the rows into parts, products cut the
//! columns; [`Team::for_each`] hands the parts out.

mod batch;
mod inputs;
mod layer;
mod pooling;
mod rope;
mod select;
mod workspace;

pub use batch::{Batch, Cancelled};
pub use rope::RopeTables;
pub use select::{select, select_generic};
pub use workspace::{Workspace, bytes_for as workspace_bytes};

use crate::isa::Isa;
use crate::model::Model;
use crate::pool::{Pool, Team};
use crate::weights::Weights;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model with its weights, for one instruction set.
pub struct Encoder<I: Isa, M: Model> {
    isa: I,
    model: M,
    weights: Weights,
    rope: RopeTables,
}

/// An encoder of whatever instruction set and model.
pub trait Forward: Send + Sync {
    /// See [`Encoder::forward`].
    fn forward(
        &self,
        team: &Team,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled>;
    /// The instruction set's name.
    fn isa(&self) -> &'static str;
    /// See [`Weights::keep_panels`].
    fn keep_panels(&mut self, pool: &Pool) -> io::Result<()>;
    /// Private memory of the kept panels, in bytes.
    fn kept_bytes(&self) -> usize;
    /// Multiply-adds of a text of `tokens` tokens, to balance work.
    fn cost(&self, tokens: usize) -> u64;
}

/// Where a text's rows lie.
#[derive(Clone, Copy, Debug)]
struct TextRows {
    start: usize,
    len: usize,
}

/// One forward pass under way.
struct Pass<'a, I: Isa, M: Model> {
    isa: I,
    model: &'a M,
    weights: &'a Weights,
    rope: &'a RopeTables,
    team: &'a Team,
    /// Rows of all texts together.
    rows: usize,
    ws: &'a mut Workspace,
}

impl<I: Isa, M: Model> Encoder<I, M> {
    /// An encoder; the weights must fit the model's spec and the tables its window and heads.
    pub fn new(isa: I, model: M, weights: Weights, rope: RopeTables) -> Self {
        Encoder { isa, model, weights, rope }
    }
}

impl<I: Isa, M: Model> Forward for Encoder<I, M> {
    /// Embeds texts (token ids, each 1 to n_ctx of them, all below n_vocab). `out` gets texts x n_embd floats, not
    /// yet cut or normalised. Stops between two layers once `cancel` is set.
    fn forward(
        &self,
        team: &Team,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled> {
        let spec = self.model.spec();
        workspace.lay_out(spec, texts, team.threads());
        let mut pass = Pass {
            isa: self.isa,
            model: &self.model,
            weights: &self.weights,
            rope: &self.rope,
            team,
            rows: workspace.rows(),
            ws: workspace,
        };
        pass.embed_tokens(texts);
        for layer in spec.layers.iter() {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            pass.layer(layer);
        }
        pass.pool();
        pass.dense_heads(out);
        Ok(())
    }

    fn isa(&self) -> &'static str {
        I::NAME
    }

    fn keep_panels(&mut self, pool: &Pool) -> io::Result<()> {
        self.weights.keep_panels(self.isa, self.model.spec(), pool)
    }

    fn kept_bytes(&self) -> usize {
        self.weights.kept_bytes()
    }

    fn cost(&self, tokens: usize) -> u64 {
        let spec = self.model.spec();
        let weights = spec.layers.iter().flat_map(|layer| layer.named());
        let products: usize = weights.map(|(_, tensor)| tensor.rows * tensor.cols).sum();
        let attention = 2 * spec.n_head * spec.head_dim * spec.layers.len() * tokens;
        (tokens * (products + attention)) as u64
    }
}

impl<I: Isa, M: Model> Pass<'_, I, M> {
    /// `x = token_embd[id] * sqrt(n_embd)`
    fn embed_tokens(&mut self, texts: &[&[u32]]) {
        let n = self.model.spec().n_embd;
        let scale = (n as f32).sqrt();
        let table = self.model.spec().token_embd;
        let ids = texts.iter().flat_map(|ids| ids.iter());
        for (id, x) in ids.zip(self.ws.x.chunks_exact_mut(n)) {
            self.weights.decode_row(table, *id as usize, x);
            x.iter_mut().for_each(|x| *x *= scale);
        }
    }
}
