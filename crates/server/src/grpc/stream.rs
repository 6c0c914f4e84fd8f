//! Streams of messages, answered in their order.
//!
//! A stream may have as many messages in hand as make two passes: one that runs, and one that waits. It is not read
//! further meanwhile, so that the client waits, and whoever else asks something waits for two passes and not for all
//! that a stream could send.

use super::body::Call;
use crate::app::{App, Stage};
use crate::body::Held;
use crate::failure::Failure;
use futures_util::stream::{FuturesOrdered, Stream, StreamExt, unfold};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::{JoinError, JoinHandle};
use tonic::{Status, Streaming};

/// Messages that a stream may have in hand, however short they are.
const MOST_MESSAGES: usize = 1024;
/// Passes that they may make.
const PASSES: usize = 2;

/// A stream of answers.
pub type Answers<A> = Pin<Box<dyn Stream<Item = Result<A, Status>> + Send>>;

/// An answer under way.
type Answer<A> = Pin<Box<dyn Future<Output = (usize, Result<A, Failure>)> + Send>>;

/// A task that goes on while nobody asks for its result, and ends when it is dropped. Without it, a message of a client
/// that reads no answers would keep what it has of the dispatcher, and hold others up.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct InOrder<Q, A, W, F> {
    call: Call,
    messages: Streaming<Q>,
    /// Whether more are to be read.
    is_open: bool,
    /// What the stream ends with, once all before it is answered.
    end: Option<Status>,
    answers: FuturesOrdered<Answer<A>>,
    /// Tokens of the messages in hand, roughly.
    tokens: usize,
    /// Number of messages so far.
    read: usize,
    weigh: W,
    answer: F,
}

/// Answers each message: `weigh` says about how many tokens it has, and `answer` what becomes of it.
pub fn answers<Q, A, W, F, R>(call: Call, messages: Streaming<Q>, weigh: W, answer: F) -> Answers<A>
where
    Q: Send + 'static,
    A: Send + 'static,
    W: Fn(&Q) -> usize + Send + 'static,
    F: Fn(Call, Q, Held) -> R + Send + 'static,
    R: Future<Output = Result<A, Failure>> + Send + 'static,
{
    let in_order = InOrder {
        call,
        messages,
        is_open: true,
        end: None,
        answers: FuturesOrdered::new(),
        tokens: 0,
        read: 0,
        weigh,
        answer,
    };
    Box::pin(unfold(in_order, |mut in_order| async {
        let answer = in_order.next().await?;
        Some((answer, in_order))
    }))
}

impl<Q, A, W, F, R> InOrder<Q, A, W, F>
where
    A: Send + 'static,
    W: Fn(&Q) -> usize,
    F: Fn(Call, Q, Held) -> R,
    R: Future<Output = Result<A, Failure>> + Send + 'static,
{
    async fn next(&mut self) -> Option<Result<A, Status>> {
        loop {
            let app = self.call.app.clone();
            tokio::select! {
                Some((tokens, answer)) = self.answers.next(), if !self.answers.is_empty() => {
                    self.tokens -= tokens;
                    return Some(answer.map_err(|failure| self.fail(failure)));
                }
                message = self.messages.message(), if self.has_room(&app) => match message {
                    Ok(Some(message)) => self.begin(message),
                    Ok(None) => self.is_open = false,
                    Err(status) => self.close(status),
                },
                () = app.reaches(Stage::Draining), if self.is_open => {
                    self.close(Failure::Draining.into());
                }
                else => return self.end.take().map(|status| Err(self.ended(status))),
            }
        }
    }

    fn has_room(&self, app: &App) -> bool {
        let most = PASSES * app.dispatcher.status().budget.pass;
        let has_room = self.answers.len() < MOST_MESSAGES && self.tokens < most;
        self.is_open && (self.answers.is_empty() || has_room)
    }

    fn begin(&mut self, message: Q) {
        let (tokens, index) = ((self.weigh)(&message), self.read);
        let held = self.call.take();
        let task = Task(tokio::spawn((self.answer)(self.call.clone(), message, held)));
        self.tokens += tokens;
        self.read += 1;
        self.answers.push_back(Box::pin(async move {
            let answer = task.await.unwrap_or_else(|_| Err(Failure::panicked()));
            let answer = answer.map_err(|failure| match failure {
                Failure::TooLong { reason, .. } => Failure::TooLong { text: index, reason },
                Failure::NotFinite { .. } => Failure::NotFinite { text: index },
                failure => failure,
            });
            (tokens, answer)
        }));
    }

    /// No more messages are read.
    fn close(&mut self, status: Status) {
        self.is_open = false;
        self.end = Some(status);
    }

    /// A message failed, and the stream with it: gRPC has one status for all of it.
    fn fail(&mut self, failure: Failure) -> Status {
        self.is_open = false;
        self.end = None;
        self.answers = FuturesOrdered::new();
        self.ended(failure.into())
    }

    /// The status that the stream ends with, by our table.
    fn ended(&self, status: Status) -> Status {
        let Some(failure) = super::status::failure(&status) else { return status };
        self.call.app.metrics.failed(&failure);
        self.call.tally.fail(failure.clone());
        failure.into()
    }
}
