//! A connection's stream with its time limits, which depend on what the connection is doing:
//!
//! - idle: so long may pass before the next request's first byte;
//! - head: so long from that byte until the request is handed to its handler;
//! - request: none here; the body and the answer have limits of their own (`body`, `embed`);
//! - writing: so long may pass without the client taking a byte.
//!
//! hyper's own timer has one time for the first two, and none for the last. A limit that is reached is an error of the
//! stream, which ends the connection.
//!
//! On HTTP/2 only the preface counts as a head. Later bytes may be pings, so only requests keep the connection open,
//! and answers that the client is still taking. An idle one is first told that no more requests are taken (GOAWAY), so
//! that a request on its way may safely be sent again; it ends with what it still brings, or as late as a head.

use crate::options::Limits;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

/// What a connection's requests tell its socket.
#[derive(Default)]
pub struct Activity {
    /// Requests that handlers have been given so far.
    begun: AtomicUsize,
    /// Those of them that have an answer.
    ended: AtomicUsize,
    /// Told when it was idle for too long.
    rested: Notify,
}

/// A request that a handler has, until all copies are dropped.
#[derive(Clone)]
pub struct InHand(#[expect(dead_code, reason = "it counts when it is dropped")] Arc<Counted>);

struct Counted(Arc<Activity>);

/// What a client of HTTP/2 sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a write of HTTP/2 that may only acknowledge pings; a larger one has part of an answer.
const MOST_OF_PINGS: usize = 1 << 10;

/// What a connection speaks, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// So many bytes of the preface were read, and nothing else.
    Open(usize),
    Http1,
    Http2,
}

impl Protocol {
    /// The same after these bytes.
    fn after(self, bytes: &[u8]) -> Protocol {
        let Protocol::Open(read) = self else { return self };
        let rest = &PREFACE[read..];
        let n = rest.len().min(bytes.len());
        match (rest[..n] == bytes[..n], n == rest.len()) {
            (true, true) => Protocol::Http2,
            (true, false) => Protocol::Open(read + n),
            (false, _) => Protocol::Http1,
        }
    }
}

impl Activity {
    /// A handler is given a request.
    pub fn begin(self: &Arc<Activity>) -> InHand {
        self.begun.fetch_add(1, Ordering::Relaxed);
        InHand(Arc::new(Counted(self.clone())))
    }

    /// Waits until a connection of HTTP/2 was idle for too long.
    pub async fn rests(&self) {
        self.rested.notified().await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The stream.
pub struct Socket<S> {
    stream: S,
    times: Times,
    activity: Arc<Activity>,
    protocol: Protocol,
    /// Requests that had begun, and that had ended, when the stream was last read.
    requests: (usize, usize),
    /// When the first byte of a request's head came, while the head is not complete.
    head: Option<Instant>,
    /// When something was last read, written or answered.
    active: Instant,
    /// Whether the client of an idle connection of HTTP/2 is being told that it ends.
    rests: bool,
    /// When the client stopped taking bytes.
    blocked: Option<Instant>,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
}

struct Times {
    idle: Duration,
    head: Duration,
    write: Duration,
}

impl<S> Socket<S> {
    /// A stream that was just opened.
    pub fn new(stream: S, limits: Limits, activity: Arc<Activity>) -> Socket<S> {
        let now = Instant::now();
        let times =
            Times { idle: limits.idle_time, head: limits.head_time, write: limits.write_time };
        let timer = || Box::pin(sleep_until(now));
        Socket {
            stream,
            times,
            activity,
            protocol: Protocol::Open(0),
            requests: (0, 0),
            head: None,
            active: now,
            rests: false,
            blocked: None,
            reading: timer(),
            writing: timer(),
        }
    }

    /// When there must be something to read; none while a handler has a request.
    fn read_deadline(&mut self) -> Option<Instant> {
        let begun = self.activity.begun.load(Ordering::Relaxed);
        let ended = self.activity.ended.load(Ordering::Relaxed);
        if begun != self.requests.0 {
            self.head = None;
        }
        if (begun, ended) != self.requests {
            self.requests = (begun, ended);
            self.active = Instant::now();
        }
        if ended < begun {
            return None;
        }
        let idle = match self.rests {
            true => self.times.idle + self.times.head,
            false => self.times.idle,
        };
        Some(self.head.map_or(self.active + idle, |begun| begun + self.times.head))
    }

    /// These bytes came.
    fn was_read(&mut self, bytes: &[u8]) {
        let before = self.protocol;
        if before == Protocol::Http2 {
            return;
        }
        self.protocol = before.after(bytes);
        self.active = Instant::now();
        if self.protocol == Protocol::Http2 {
            self.head = None;
            return;
        }
        // Also where they are the next request's that came before this one's answer: those have until the idle time.
        if self.read_deadline().is_some() {
            self.head.get_or_insert(self.active);
        }
    }

    /// What a write has come to, with the time that it may wait.
    fn limited(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = &written {
            self.blocked = None;
            let is_answer = result.as_ref().is_ok_and(|bytes| *bytes > MOST_OF_PINGS);
            if self.protocol != Protocol::Http2 || is_answer {
                self.active = Instant::now();
            }
            return written;
        }
        let blocked = *self.blocked.get_or_insert_with(Instant::now);
        ready!(poll_until(&mut self.writing, blocked + self.times.write, context));
        Poll::Ready(Err(late("the client takes no bytes")))
    }
}

/// Ready once it is that time.
fn poll_until(
    timer: &mut Pin<Box<Sleep>>,
    deadline: Instant,
    context: &mut Context<'_>,
) -> Poll<()> {
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    timer.as_mut().poll(context)
}

fn late(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut socket.stream).poll_read(context, buffer);
        // Bytes that trickle in do not put the deadline of a head off.
        if buffer.filled().len() > before {
            socket.was_read(&buffer.filled()[before..]);
        }
        let (now, mut deadline) = (Instant::now(), socket.read_deadline());
        let is_over = deadline.is_some_and(|deadline| deadline <= now);
        if is_over && socket.protocol == Protocol::Http2 && !socket.rests {
            socket.rests = true;
            socket.activity.rested.notify_one();
            deadline = socket.read_deadline();
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Poll::Ready(Err(late("the client sends no request")));
        }
        if read.is_pending() {
            // After an answer, hyper does not read again before it is woken; so it is woken while a request is in hand,
            // too.
            let wake = deadline.unwrap_or(now + socket.times.idle);
            if poll_until(&mut socket.reading, wake, context).is_ready() {
                context.waker().wake_by_ref();
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.limited(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.limited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

// The test needs HTTP/2, and the pipe that comes with it.
#[cfg(all(test, feature = "grpc-tests"))]
mod tests {
    use super::*;
    use crate::options::Options;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// An answer may take longer to reach the client than a connection may be idle.
    #[tokio::test]
    async fn an_answer_under_way_keeps_a_connection() {
        let limits = Options::new("m").limits;
        let (mut client, stream) = duplex(64 << 10);
        let mut socket = Socket::new(stream, limits, Arc::default());
        client.write_all(PREFACE).await.unwrap();
        socket.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        let opened = socket.active;
        std::thread::sleep(Duration::from_millis(2));
        socket.write_all(&[0; 17]).await.unwrap();
        assert_eq!(socket.active, opened, "pings keep it");
        socket.write_all(&[0; 2000]).await.unwrap();
        assert!(socket.active > opened);
    }
}
