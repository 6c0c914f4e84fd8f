//! How an answer's frames reach a client of HTTP/2, in bounded time.
//!
//! hyper asks a body for its next frame only once the client has room for the one before. A client without room would
//! therefore stop all that a body does when it is asked: its deadline, its shutdown. So a task of its own asks the body
//! and passes the frames on, and where one is not taken in time, it ends the stream. As hyper does not look at the body
//! then, the task in which hyper answers the stream is ended instead, upon which h2 resets the stream.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::rt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

/// Bytes that are passed on at a time, as many as a frame of HTTP/2 has: of a longer message, a client must take a part
/// in time, not all of it.
const PIECE: usize = 16 << 10;

/// A body's next frame, or why there is none.
type Item = Result<Frame<Bytes>, axum::Error>;
/// Told when hyper asks for the frame after one: the client has room for that one.
type Taken = oneshot::Sender<()>;

tokio::task_local! {
    /// Ends the task that answers a stream.
    static CUT: Arc<Notify>;
}

/// Runs the tasks that answer the streams of connections.
#[derive(Clone)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        let cut = Arc::new(Notify::new());
        let scope = cut.clone();
        tokio::spawn(CUT.scope(scope, async move {
            tokio::select! {
                _ = task => {}
                () = cut.notified() => {}
            }
        }));
    }
}

/// The way of one answer's frames.
pub struct Delivery {
    frames: Sender<(Item, Taken)>,
    /// How long a frame may wait.
    within: Duration,
    /// None where no stream of HTTP/2 is answered.
    stream: Option<Arc<Notify>>,
}

/// An answer whose body is passed on so.
pub fn delivered(mut response: Response, within: Duration) -> Response {
    // What is passed on in pieces does not tell its length.
    if let Some(length) = response.body().size_hint().exact().filter(|length| *length > 0) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        return response.map(|mut body| {
            let (delivery, delivered) = Delivery::new(within);
            tokio::spawn(async move {
                while let Some(frame) = body.frame().await {
                    if delivery.send(frame).await.is_none() {
                        return;
                    }
                }
            });
            delivered
        });
    }
    response
}

impl Delivery {
    /// The way, and the body that it ends in. This must be called by the task that answers the stream.
    pub fn new(within: Duration) -> (Delivery, Body) {
        let (frames, passed) = channel::<(Item, Taken)>(1);
        let stream = CUT.try_with(Arc::clone).ok();
        let asked = |(mut passed, before): (Receiver<_>, Option<Taken>)| async move {
            before.map(|before| before.send(()));
            let (frame, taken) = passed.recv().await?;
            Some((frame, (passed, Some(taken))))
        };
        let body = StreamBody::new(Box::pin(unfold((passed, None), asked)));
        (Delivery { frames, within, stream }, Body::new(body))
    }

    /// Passes a frame on; none if the client has left, or has taken nothing for so long that its stream was ended.
    pub async fn send(&self, frame: Item) -> Option<()> {
        let frame = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => return self.send_data(data).await,
            Ok(Err(other)) => Ok(other),
            Err(error) => Err(error),
        };
        self.pass(frame).await
    }

    async fn send_data(&self, mut data: Bytes) -> Option<()> {
        while !data.is_empty() {
            let piece = data.split_to(PIECE.min(data.len()));
            self.pass(Ok(Frame::data(piece))).await?;
        }
        Some(())
    }

    async fn pass(&self, frame: Item) -> Option<()> {
        let (taken, was_taken) = oneshot::channel();
        let passed = async {
            self.frames.send((frame, taken)).await.ok()?;
            was_taken.await.ok()
        };
        timeout(self.within, passed).await.unwrap_or_else(|_| {
            self.stream.iter().for_each(|stream| stream.notify_one());
            None
        })
    }

    /// Waits until the client has left.
    pub async fn closed(&self) {
        self.frames.closed().await;
    }
}
