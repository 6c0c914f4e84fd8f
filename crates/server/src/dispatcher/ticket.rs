//! A request's way through the dispatcher: admitted, submitted, answered or taken back.

use super::job::Job;
use super::{Dispatcher, Done, Finish};
use crate::failure::Failure;
use crate::queue::{Kind, Text};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// A request that was let in, and whose texts are being turned into ids.
pub struct Admission {
    dispatcher: Arc<Dispatcher>,
    kind: Kind,
    tokens: usize,
}

/// A submitted request. Dropping it takes its texts back.
pub struct Ticket {
    dispatcher: Arc<Dispatcher>,
    request: u64,
    job: Arc<Job>,
    done: oneshot::Receiver<Result<Done, Failure>>,
}

impl Dispatcher {
    /// Lets a request in whose texts have about so many tokens, or refuses it for what is before it.
    pub fn admit(self: &Arc<Self>, tokens: usize) -> Result<Admission, Failure> {
        let mut state = self.lock();
        let kind = Kind::of(tokens, state.pace.budget().pass);
        self.check(&state, kind)?;
        state.arriving[kind as usize] += tokens;
        drop(state);
        Ok(Admission { dispatcher: self.clone(), kind, tokens })
    }

    /// Refuses a request, not read yet, that has so many tokens at least, if as a long one it would not be let in.
    pub fn foresee(&self, tokens: usize) -> Result<(), Failure> {
        let state = self.lock();
        match Kind::of(tokens, state.pace.budget().pass) {
            Kind::Short => Ok(()),
            Kind::Long => self.check(&state, Kind::Long),
        }
    }
}

impl Admission {
    /// Adds the texts, at least one, to the queue.
    ///
    /// # Errors
    /// If they are of the other kind than was thought and that one waits too long, or could not be done in time on an
    /// idle engine.
    pub fn submit(self, texts: Vec<Vec<u32>>, finish: Finish) -> Result<Ticket, Failure> {
        let dispatcher = self.dispatcher.clone();
        let tokens: usize = texts.iter().map(Vec::len).sum();
        // The estimate goes out as the texts come in.
        let admitted = self.kind;
        drop(self);
        let mut state = dispatcher.lock();
        let budget = state.pace.budget().pass;
        let kind = Kind::of(tokens, budget);
        if kind != admitted || state.closed || state.broken.is_some() {
            dispatcher.check(&state, kind)?;
        }
        let (alone, timeout) = (state.pace.time(tokens), dispatcher.settings.timeout);
        if alone > timeout {
            return Err(Failure::TooLarge(format!(
                "{tokens} tokens take about {} s here, and a request may take {} s; send fewer texts at a time",
                alone.as_secs(),
                timeout.as_secs()
            )));
        }
        let (sender, done) = oneshot::channel();
        let job = Arc::new(Job::new(texts.len(), finish, (dispatcher.clock)(), sender));
        let texts = texts.into_iter().enumerate().map(|(index, ids)| Text { index, ids });
        let may_rest = finish != Finish::Tokens;
        let request = state.queue.push(texts.collect(), job.clone(), may_rest, budget);
        drop(state);
        dispatcher.changed.notify_one();
        Ok(Ticket { dispatcher, request, job, done })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.dispatcher.lock().arriving[self.kind as usize] -= self.tokens;
    }
}

impl Ticket {
    /// The vectors, once all are there.
    pub async fn done(mut self) -> Result<Done, Failure> {
        // The sender is dropped only with its job, which this ticket holds.
        (&mut self.done).await.unwrap_or(Err(Failure::Draining))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.job.is_settled() {
            return;
        }
        self.job.give_up();
        let mut state = self.dispatcher.lock();
        let mut cancelled = state.queue.remove(self.request);
        for running in &state.running {
            let Some((_, texts)) = running.requests.get(&self.request) else { continue };
            cancelled += texts;
            if running.requests.values().all(|(job, _)| job.is_settled()) {
                running.cancel.store(true, Ordering::Relaxed);
            }
        }
        drop(state);
        self.dispatcher.metrics.cancelled(cancelled);
    }
}
