//! The forward pass: token ids in, one vector a text out.
//!
//! [`Encoder::forward`] reads as the model's paper does: embed, layers, pool, dense heads. Several texts may share a
//! pass; their rows lie one text after the other, without padding, and every row's bits are those it would have
//! alone.
//!
//! How the threads of a team share the layers:
//!
//! - Many rows: they are cut, and a thread takes its part alone through all but attention, which reads the keys and
//!   values of all. So the threads meet once a layer, and a row stays in the cache of its thread.
//! - Few rows: all threads work on one operation at a time. Operations on rows cut the rows into parts, products cut the
//!   columns; [`Team::for_each`] hands the parts out.

mod batch;
mod inputs;
mod layer;
mod pooling;
mod rope;
mod rows;
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
use rows::{AllRows, RowsMut};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use workspace::{Step, ThreadScratch};

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

/// Rows that a thread can take through the layers alone at no loss: enough for tall tiles, and for the weights, which
/// every thread then reads, to cost little.
const FEWEST_ROWS: usize = 16;

/// All rows of a pass, or some neighbouring ones, between two layers.
struct Pass<'a, I: Isa, M: Model> {
    isa: I,
    model: &'a M,
    weights: &'a Weights,
    rope: &'a RopeTables,
    /// Those who work on these rows.
    team: &'a Team,
    /// Scratch for each of them.
    threads: &'a [Mutex<ThreadScratch>],
    all: AllRows<'a>,
    rows: RowsMut<'a>,
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
        self.embed_tokens(texts, workspace.step(0).rows.x);
        let cut = self.cuts_rows(team, workspace.step(0).rows.len());
        for layer in 0..=spec.layers.len() {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            self.step(team, cut, layer, workspace.step(layer));
        }
        let Step { all, rows, threads, pooled } = workspace.step(0);
        let mut pass = self.pass(team, threads, all, rows);
        pass.pool(&mut pooled[0]);
        pass.dense_heads(pooled, out);
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

impl<I: Isa, M: Model> Encoder<I, M> {
    /// `x = token_embd[id] * sqrt(n_embd)`
    fn embed_tokens(&self, texts: &[&[u32]], x: &mut [f32]) {
        let n = self.model.spec().n_embd;
        let scale = (n as f32).sqrt();
        let table = self.model.spec().token_embd;
        let ids = texts.iter().flat_map(|ids| ids.iter());
        for (id, x) in ids.zip(x.chunks_exact_mut(n)) {
            self.weights.decode_row(table, *id as usize, x);
            x.iter_mut().for_each(|x| *x *= scale);
        }
    }

    /// Whether each thread had better take a share of the rows through the layers alone. Not where weights are unpacked
    /// on use, which every thread would have to do for itself.
    fn cuts_rows(&self, team: &Team, rows: usize) -> bool {
        let mut matrices = self.model.spec().layers.iter().flat_map(|layer| layer.matrices());
        team.threads() > 1
            && rows >= FEWEST_ROWS * team.threads()
            && matrices.all(|tensor| self.weights.matrix(tensor).is_panels())
    }

    /// From the attention of layer `layer - 1` to that of layer `layer`: the rest of the one, then the projections of the
    /// other. The first step has no rest to do, the last no projections. `cut`: see [`Self::cuts_rows`].
    fn step(&self, team: &Team, cut: bool, layer: usize, step: Step<'_>) {
        let Step { all, rows, threads, .. } = step;
        let layers = &self.model.spec().layers;
        let (done, next) = (layer.checked_sub(1).map(|l| &layers[l]), layers.get(layer));
        let advance = |mut pass: Pass<'_, I, M>| {
            if let Some(layer) = done {
                pass.attend_and_feed_forward(layer);
            }
            if let Some(layer) = next {
                pass.project(layer);
            }
        };
        if !cut {
            return advance(self.pass(team, threads, all, rows));
        }
        let share = rows.len().div_ceil(team.threads());
        team.for_each(rows.parts(share), |thread, part| {
            advance(self.pass(&Team::solo(), &threads[thread..=thread], all, part));
        });
    }

    /// These rows, to be worked on by this team.
    fn pass<'a>(
        &'a self,
        team: &'a Team,
        threads: &'a [Mutex<ThreadScratch>],
        all: AllRows<'a>,
        rows: RowsMut<'a>,
    ) -> Pass<'a, I, M> {
        let Encoder { isa, model, weights, rope } = self;
        Pass { isa: *isa, model, weights, rope, team, threads, all, rows }
    }
}
