//! What becomes of a request's texts: the vectors that are there, and whom to tell when all are.

use crate::failure::Failure;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot::Sender;

/// What is made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Its vector: so many values, scaled to length one or not.
    Vector { dimensions: usize, normalize: bool },
    /// The rows of its tokens, one after the other.
    Tokens,
}

/// A request's vectors.
#[derive(Debug, Default)]
pub struct Done {
    /// One a text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// Time in the queue, between passes included.
    pub queue: Duration,
    /// Time of the passes that it had a text in.
    pub inference: Duration,
}

/// A request between submission and answer.
pub struct Job {
    pub finish: Finish,
    submitted: Instant,
    progress: Mutex<Progress>,
}

struct Progress {
    vectors: Vec<Vec<f32>>,
    left: usize,
    inference: Duration,
    /// Whom to tell; none once that is done, or nobody waits any more.
    sender: Option<Sender<Result<Done, Failure>>>,
}

impl Job {
    pub fn new(
        texts: usize,
        finish: Finish,
        submitted: Instant,
        sender: Sender<Result<Done, Failure>>,
    ) -> Job {
        let progress = Progress {
            vectors: vec![Vec::new(); texts],
            left: texts,
            inference: Duration::ZERO,
            sender: Some(sender),
        };
        Job { finish, submitted, progress: Mutex::new(progress) }
    }

    /// A text's vector is there, from a pass that counts so much of the request's time.
    pub fn give(&self, index: usize, vector: Vec<f32>, took: Duration, now: Instant) {
        let mut progress = self.lock();
        progress.inference += took;
        if let Some(place) = progress.vectors.get_mut(index) {
            *place = vector;
            progress.left = progress.left.saturating_sub(1);
        }
        if progress.left > 0 {
            return;
        }
        let Some(sender) = progress.sender.take() else { return };
        let vectors = std::mem::take(&mut progress.vectors);
        let inference = progress.inference;
        drop(progress);
        let total = now.saturating_duration_since(self.submitted);
        let queue = total.saturating_sub(inference);
        // The client may have left in this moment.
        let _ = sender.send(Ok(Done { vectors, queue, inference }));
    }

    /// No more vectors come.
    pub fn fail(&self, failure: Failure) {
        if let Some(sender) = self.lock().sender.take() {
            let _ = sender.send(Err(failure));
        }
    }

    /// Nobody waits any more.
    pub fn give_up(&self) {
        let mut progress = self.lock();
        progress.sender = None;
        progress.vectors = Vec::new();
    }

    /// Whether somebody was told, or nobody waits any more.
    pub fn is_settled(&self) -> bool {
        self.lock().sender.is_none()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
