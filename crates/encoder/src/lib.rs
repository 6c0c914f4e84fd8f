//! The forward pass: token ids in, one vector per text out.
//!
//! [`Encoder::forward`] reads like the model's paper: embed, layers, pool, dense heads. Several texts may share a pass;
//! their rows follow each other without padding, and every row has the same bits as if its text were alone.
//!
//! How the threads of a team share the layers:
//!
//! - Many rows, and weights in panels: the rows are cut into shares, and the thread that takes a share does all
//!   operations on it alone. Only attention needs the rows of other shares, namely their keys and values. The threads
//!   therefore synchronise once per layer, just before attention, and in between a row stays in the cache of one core.
//! - Few rows, or weights that are repacked on use: all threads work on one operation at a time. Operations on rows
//!   split the rows into parts, products split the columns, and [`Team::for_each`] hands out the parts.

#[cfg(target_endian = "big")]
compile_error!(
    "GGUF files, tables of the build and images are little-endian, and are used in place"
);

pub mod compare;
pub mod dim;
mod input_branch;
mod inputs;
pub mod kernels;
mod layer;
pub mod model;
mod norm;
mod parts;
mod pooling;
pub mod prefix;
mod resting;
mod rope;
mod rows;
mod schedule;
mod select;
mod tensors;
pub mod threads;
pub mod weights;
mod workspace;

pub use resting::{Paused, Resting, Stop};
pub use rope::RopeTables;
pub use schedule::{Cancelled, Scheduler};
pub use select::{select, select_generic};
pub use workspace::{Workspace, bytes_for as workspace_bytes};

use crate::dim::Dim;
use crate::model::{Model, Runtime};
use crate::norm::NormView;
use crate::prefix::{Before, Prefix};
use crate::tensors::Tensors;
use crate::threads::{Team, Threads};
use crate::weights::Weights;
use monomorph_simd::Isa;
use monomorph_spec::{Embedding, Layer, Ops, Window};
use rows::{AllRows, RowsMut};
use std::any::TypeId;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use workspace::{Step, ThreadScratch};

/// A model with its weights, for one instruction set.
pub struct Encoder<I: Isa, M: Model> {
    isa: I,
    model: M,
    weights: Weights,
    tensors: Tensors,
    rope: RopeTables,
}

/// An encoder for any instruction set and any model.
pub trait Forward: Send + Sync {
    /// See [`Encoder::forward`].
    fn forward(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled>;
    /// See [`Encoder::resume`].
    fn resume(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        paused: &mut Paused,
        stop: Stop<'_>,
        out: &mut [f32],
    ) -> Result<bool, Cancelled>;
    /// See [`Encoder::token_rows`].
    fn token_rows(
        &self,
        team: &Team,
        ids: &[u32],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled>;
    /// See [`Encoder::prefix`].
    fn prefix(
        &self,
        team: &Team,
        ids: &[u32],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
    ) -> Result<Prefix, Cancelled>;
    /// Whether texts can have a prefix: see [`Ops::prefix`].
    fn takes_prefix(&self) -> bool;
    /// The instruction set's name.
    fn isa(&self) -> &'static str;
    /// Whether it was compiled for this model.
    fn is_specialized(&self) -> bool;
    /// See [`Weights::keep_panels`].
    fn keep_panels(&mut self, threads: &Threads) -> io::Result<()>;
    /// Private memory of the kept panels, in bytes.
    fn kept_bytes(&self) -> usize;
    /// About how many multiply-adds a text of `tokens` tokens takes, to balance work.
    fn cost(&self, tokens: usize) -> u64;
}

/// The fewest rows per thread that are cut into shares. They are enough for tall tiles, and enough that it costs little
/// for every thread to read all weights. Measured with two threads.
const FEWEST_ROWS: usize = 16;
/// Causal texts are cut into several shares per thread, at most [`CAUSAL_SHARES`], of no fewer rows than this.
const CAUSAL_ROWS: usize = 128;
/// The most shares per thread of causal texts.
const CAUSAL_SHARES: usize = 4;

/// Some rows on their way through a layer, the team that works on them, and what it reads.
struct Pass<'a, I: Isa, M: Model> {
    isa: I,
    model: &'a M,
    weights: &'a Weights,
    rope: &'a RopeTables,
    /// The gains of a norm that has none.
    ones: &'a [f32],
    /// The threads that work on these rows.
    team: &'a Team,
    /// One for each thread of the team.
    scratch: &'a [Mutex<ThreadScratch>],
    /// What all texts begin with, besides these rows.
    before: Option<Before<'a>>,
    all: AllRows<'a>,
    rows: RowsMut<'a>,
}

impl<I: Isa, M: Model> Encoder<I, M> {
    /// An encoder. The weights must fit the model's spec, and the tables must fit its longest text and its heads.
    pub fn new(isa: I, model: M, weights: Weights, rope: RopeTables) -> Self {
        let tensors = Tensors::new(model.spec(), &weights);
        Encoder { isa, model, weights, tensors, rope }
    }
}

impl<I: Isa, M: Model> Forward for Encoder<I, M> {
    /// Embeds texts, each of which is 1 to n_ctx token ids below n_vocab, less those of the prefix that stands before
    /// each of them. `out` gets texts x n_out floats, not yet shortened or normalised. Stops between two layers once
    /// `cancel` is set.
    fn forward(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled> {
        self.layers(team, before, texts, workspace, cancel)?;
        self.end(team, before, workspace, out);
        Ok(())
    }

    /// Embeds texts in parts: goes on with them until they are embedded (true), or between two layers, a layer later at
    /// the earliest, once it is to pause. The texts, and what stands before them, are the same each time. The rest is
    /// as in [`Self::forward`].
    fn resume(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        paused: &mut Paused,
        stop: Stop<'_>,
        out: &mut [f32],
    ) -> Result<bool, Cancelled> {
        let Paused { workspace, next } = paused;
        let share = match next {
            0 => self.begin(team, before, texts, workspace),
            _ => self.rows_per_share(team, texts.iter().map(|ids| ids.len()).sum()),
        };
        let n_layer = self.model.spec().layers.len();
        loop {
            let step = workspace.step(self.model.spec(), *next);
            self.step(team, before, share, *next, step, stop.cancel);
            if stop.cancel.load(Ordering::Relaxed) {
                // The layer may have ended early, so that its rows are of no use.
                return Err(Cancelled);
            }
            *next += 1;
            if *next > n_layer {
                break;
            }
            if (stop.pause)() {
                return Ok(false);
            }
        }
        self.end(team, before, workspace, out);
        Ok(true)
    }

    /// The rows of a text's tokens as pooling takes them. `out` gets tokens x n_embd floats. Stops between two layers
    /// once `cancel` is set.
    fn token_rows(
        &self,
        team: &Team,
        ids: &[u32],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled> {
        self.layers(team, None, &[ids], workspace, cancel)?;
        let Step { all, rows, scratch, .. } = workspace.step(self.model.spec(), 0);
        let mut pass = self.pass(team, None, scratch, all, rows);
        pass.norm_rows(&self.tensors.output_norm, out);
        Ok(())
    }

    /// The keys and values of tokens that texts may begin with.
    fn prefix(
        &self,
        team: &Team,
        ids: &[u32],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
    ) -> Result<Prefix, Cancelled> {
        let share = self.begin(team, None, &[ids], workspace);
        let mut prefix = Prefix::new(ids);
        // Nothing after the last layer's keys and values is needed.
        let spec = self.model.spec();
        for n in 0..spec.layers.len() {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            self.step(team, None, share, n, workspace.step(spec, n), cancel);
            // The next step reads what this one has written.
            let all = workspace.step(spec, n + 1).all;
            prefix.push(all.keys, all.values);
        }
        if cancel.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(prefix) }
    }

    fn takes_prefix(&self) -> bool {
        M::OPS.prefix && Ops::of(self.model.spec()).prefix
    }

    fn isa(&self) -> &'static str {
        I::NAME
    }

    fn is_specialized(&self) -> bool {
        TypeId::of::<M>() != TypeId::of::<Runtime>()
    }

    fn keep_panels(&mut self, threads: &Threads) -> io::Result<()> {
        self.weights.keep_panels(self.isa, self.model.spec(), threads)?;
        self.tensors = Tensors::new(self.model.spec(), &self.weights);
        Ok(())
    }

    fn kept_bytes(&self) -> usize {
        self.weights.kept_bytes()
    }

    fn cost(&self, tokens: usize) -> u64 {
        let spec = self.model.spec();
        let seen = |layer: &Layer| match (layer.window, spec.causal) {
            (Window::Full, false) => tokens,
            (Window::Full, true) => tokens.div_ceil(2),
            (Window::Sliding(radius), false) => tokens.min(2 * radius + 1),
            (Window::Sliding(radius), true) => tokens.min(radius + 1),
        };
        let attention = |layer: &Layer| 2 * spec.heads_of(layer.window).n_attn() * seen(layer);
        let attention = spec.layers.iter().map(attention).sum::<usize>();
        (tokens * (self.tensors.multiply_adds + attention)) as u64
    }
}

impl<I: Isa, M: Model> Encoder<I, M> {
    /// Runs a pass through all layers, which leaves its rows in the workspace.
    fn layers(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
    ) -> Result<(), Cancelled> {
        let n_layer = self.model.spec().layers.len();
        let share = self.begin(team, before, texts, workspace);
        // Step n ends layer n - 1 and begins layer n, because threads only have to synchronise before attention.
        for n in 0..=n_layer {
            if cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            self.step(team, before, share, n, workspace.step(self.model.spec(), n), cancel);
        }
        if cancel.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Pools the rows of a pass that has gone through all layers.
    fn end(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        workspace: &mut Workspace,
        out: &mut [f32],
    ) {
        let Step { all, rows, scratch, pooled } = workspace.step(self.model.spec(), 0);
        let mut pass = self.pass(team, before, scratch, all, rows);
        pass.pool(&self.tensors.output_norm, &mut pooled[0]);
        pass.dense_heads(&self.tensors.dense, pooled, out);
    }

    /// Lays a pass out and embeds its tokens. Returns the rows of a share, see [`Self::rows_per_share`].
    fn begin(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        texts: &[&[u32]],
        workspace: &mut Workspace,
    ) -> Option<usize> {
        workspace.lay_out(self.model.spec(), self.tensors.want, texts, team.threads());
        let rows = workspace.step(self.model.spec(), 0).rows;
        let share = self.rows_per_share(team, rows.len());
        self.embed_tokens(before.map_or(0, |before| before.tokens()), texts, rows);
        share
    }

    /// `x = norm(token_embd[id] * scale + token_types[0] + position_embd[t])`, with `t` from `first` on
    fn embed_tokens(&self, first: usize, texts: &[&[u32]], rows: RowsMut<'_>) {
        let (isa, n, spec) = (self.isa, self.model.n_embd(), self.model.spec());
        let Embedding { tokens, token_types, positions, norm } = self.tensors.embedding;
        let norm = norm.map(|norm| NormView::new(spec.norm, &self.weights, &norm));
        let places = texts.iter().flat_map(|ids| ids.iter().enumerate());
        let RowsMut { x, branch, embedded, .. } = rows;
        // The branch's rows are free until the first layer, so they can hold what is added.
        let rows = x.chunks_exact_mut(n.size()).zip(branch.chunks_exact_mut(n.size()));
        for ((t, id), (x, added)) in places.zip(rows) {
            self.weights.decode_row(tokens, *id as usize, x);
            x.iter_mut().for_each(|x| *x *= spec.embedding_scale);
            for (table, row) in [(token_types, 0), (positions, first + t)] {
                if let Some(table) = table {
                    self.weights.decode_row(table, row, added);
                    x.iter_mut().zip(&*added).for_each(|(x, added)| *x += added);
                }
            }
            if let Some(norm) = norm {
                isa.vectorize(
                    #[inline(always)]
                    || norm.in_place::<I, M, _>(isa, n, x),
                );
            }
        }
        if M::OPS.layer_inputs && !embedded.is_empty() {
            embedded.copy_from_slice(x);
        }
    }

    /// The number of rows in a share that one thread takes through the layers, or `None` if all threads should work on
    /// all rows. They should if weights are repacked on use, since each thread would repack all of them for itself.
    fn rows_per_share(&self, team: &Team, rows: usize) -> Option<usize> {
        let (spec, threads) = (self.model.spec(), team.threads());
        let even = rows.div_ceil(threads);
        // The later a row of a causal text, the more keys it sees, so equal shares of the rows are not equal shares of
        // the work.
        let size = if spec.causal {
            even.div_ceil(CAUSAL_SHARES).max(even.min(CAUSAL_ROWS))
        } else {
            even
        };
        let cut = threads > 1 && rows >= FEWEST_ROWS * threads && self.tensors.all_panels;
        cut.then_some(size)
    }

    /// Does the rest of layer `n - 1`, then the projections of layer `n`. The first step has no layer to finish, and
    /// the last has no projections.
    ///
    /// A layer takes some tenths of a second for the longest texts, so `cancel` ends it between its parts, too. The rows
    /// are worth nothing then: whoever reads them looks at `cancel` first.
    fn step(
        &self,
        team: &Team,
        before: Option<Before<'_>>,
        share: Option<usize>,
        n: usize,
        step: Step<'_>,
        cancel: &AtomicBool,
    ) {
        let Step { all, rows, scratch, .. } = step;
        let (layers, blocks) = (&self.model.spec().layers, &self.tensors.blocks);
        let advance = |mut pass: Pass<'_, I, M>| {
            if let Some(done) = n.checked_sub(1) {
                pass.attend_and_join(done, &layers[done], &blocks[done], cancel);
                if cancel.load(Ordering::Relaxed) {
                    return;
                }
                pass.widen(&blocks[done]);
                if cancel.load(Ordering::Relaxed) {
                    return;
                }
                pass.narrow_and_join(&blocks[done]);
                if cancel.load(Ordering::Relaxed) {
                    return;
                }
                pass.mix_input(done, &blocks[done], &self.tensors.layer_inputs);
                pass.scale_output(&blocks[done]);
            }
            if let Some(next) = layers.get(n) {
                pass.project(next, &blocks[n]);
            }
        };
        match share {
            None => advance(self.pass(team, before, scratch, all, rows)),
            Some(size) => team.for_each(rows.shares(size), |thread, share| {
                advance(self.pass(&Team::solo(), before, &scratch[thread..=thread], all, share));
            }),
        }
    }

    /// A pass of this team over these rows.
    fn pass<'a>(
        &'a self,
        team: &'a Team,
        before: Option<Before<'a>>,
        scratch: &'a [Mutex<ThreadScratch>],
        all: AllRows<'a>,
        rows: RowsMut<'a>,
    ) -> Pass<'a, I, M> {
        let Encoder { isa, model, weights, rope, tensors } = self;
        Pass {
            isa: *isa,
            model,
            weights,
            rope,
            ones: &tensors.ones,
            team,
            scratch,
            before,
            all,
            rows,
        }
    }
}
