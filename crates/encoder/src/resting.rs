//! A pass that can rest between two layers, while others run.

use crate::Workspace;
use crate::prefix::Prefix;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A pass that was begun: all that it needs to go on. [`Scheduler::begin`](crate::Scheduler::begin) makes one.
pub struct Resting {
    /// What texts of a causal model begin with.
    pub(crate) prefix: Option<Arc<Prefix>>,
    /// Its rows.
    pub(crate) workspace: Workspace,
    /// The next of the steps, of which there is one more than layers.
    pub(crate) next: usize,
}

/// When a pass is to stop.
#[derive(Clone, Copy)]
pub struct Stop<'a> {
    /// For good.
    pub cancel: &'a AtomicBool,
    /// To go on later.
    pub pause: &'a AtomicBool,
}
