//! What was done for a request so far: its handler adds, and whoever ends the request reads.

use crate::failure::Failure;
use crate::report::Report;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was done for a request so far.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<Sum>>);

/// What was done.
#[derive(Default)]
pub struct Sum {
    /// Of all messages; none if nothing was embedded.
    pub report: Option<Report>,
    /// What ended a stream.
    pub failure: Option<Failure>,
}

impl Tally {
    /// A message was embedded.
    pub fn add(&self, report: Report) {
        let mut sum = self.lock();
        sum.report = Some(match sum.report.take() {
            Some(before) => before.with(report),
            None => report,
        });
    }

    /// The stream ends with this.
    pub fn fail(&self, failure: Failure) {
        self.lock().failure = Some(failure);
    }

    /// What was done so far.
    pub fn lock(&self) -> MutexGuard<'_, Sum> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
