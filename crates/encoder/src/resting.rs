//! Passes that can rest between two layers, while others run.

use crate::Workspace;
use crate::prefix::Prefix;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A request that was begun: all that it needs to go on. [`Scheduler::begin`](crate::Scheduler::begin) makes one.
pub struct Resting {
    /// What texts of a causal model begin with.
    pub(crate) prefix: Option<Arc<Prefix>>,
    /// Passes of the whole team, which come first.
    pub(crate) shared: Vec<Planned>,
    /// Passes of one thread each.
    pub(crate) bundles: Vec<Planned>,
}

/// A pass of a request.
#[derive(Default)]
pub(crate) struct Planned {
    /// Its texts, by their indices in the request.
    pub texts: Vec<usize>,
    /// None before it begins, and once it is done.
    pub paused: Option<Paused>,
    /// Its texts' vectors, once it is done.
    pub rows: Option<Vec<f32>>,
}

/// A pass between two of its steps.
pub struct Paused {
    /// Its rows.
    pub(crate) workspace: Workspace,
    /// The next step, of which there is one more than layers.
    pub(crate) next: usize,
}

/// When a pass is to stop.
#[derive(Clone, Copy)]
pub struct Stop<'a> {
    /// For good.
    pub cancel: &'a AtomicBool,
    /// To go on later: asked between two layers, by any thread.
    pub pause: &'a (dyn Fn() -> bool + Sync),
}
