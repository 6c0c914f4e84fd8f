//! The log, on standard error: one line for each request, and one for each thing that happens to the server. Never a
//! text, a vector or a key, at any level.

use crate::failure::Failure;
use crate::listen::Peer;
use crate::report::Report;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use std::io::stderr;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::{Level, info, warn};

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// Begins to log what is at least as important as this level: `error`, `warn`, `info`, `debug` or `trace`; `off`
    /// and any other word log nothing. Only the first call in a process counts.
    pub fn start(self, level: &str) {
        let Ok(level) = Level::from_str(level) else { return };
        let log =
            tracing_subscriber::fmt().with_max_level(level).with_writer(stderr).with_target(false);
        let _ = match self {
            LogFormat::Text => log.with_ansi(false).try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
    }
}

/// What was sent as an answer.
#[derive(Default)]
pub struct Sent {
    pub status: u16,
    /// The status that gRPC has beside HTTP's.
    pub grpc: Option<&'static str>,
    pub bytes: Option<u64>,
}

impl From<&Response> for Sent {
    fn from(response: &Response) -> Sent {
        let bytes = response.body().size_hint().exact();
        Sent { status: response.status().as_u16(), grpc: None, bytes }
    }
}

/// The log's line of a request, begun with what is known before its answer.
pub struct Line {
    /// The request's id: the one it came with, or one of ours.
    pub id: HeaderValue,
    /// The template of its route, which is no client's to choose.
    pub route: String,
    method: Method,
    peer: String,
    trace: Option<(String, String)>,
}

impl Line {
    pub fn new(request: &Request) -> Line {
        let route = request.extensions().get::<MatchedPath>();
        let peer = request.extensions().get::<Peer>();
        let text =
            |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let given = text("x-request-id").filter(|id| is_plain(id));
        Line {
            id: given.and_then(|id| id.parse().ok()).unwrap_or_else(new_id),
            route: route.map_or("other", MatchedPath::as_str).to_owned(),
            method: request.method().clone(),
            peer: peer.map(|peer| peer.0.clone()).unwrap_or_default(),
            trace: text("traceparent").and_then(parse_trace),
        }
    }

    /// Writes the line; without an answer, the client has left.
    pub fn write(
        self,
        sent: Option<Sent>,
        report: Option<&Report>,
        failure: Option<&Failure>,
        total: Duration,
    ) {
        let none = Report::default();
        let report = report.unwrap_or(&none);
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let (trace_id, span_id) = self.trace.unzip();
        info!(
            id = self.id.to_str().unwrap_or_default(),
            method = known(&self.method),
            route = self.route,
            status = sent.as_ref().map_or(499, |sent| sent.status),
            grpc = sent.as_ref().and_then(|sent| sent.grpc),
            reason = failure.map(Failure::label),
            texts = report.texts,
            tokens = report.tokens,
            truncated = report.truncated,
            tokenizing_ms = ms(report.tokenization),
            queued_ms = ms(report.queue),
            computing_ms = ms(report.inference),
            total_ms = ms(total),
            bytes = sent.as_ref().and_then(|sent| sent.bytes),
            peer = self.peer,
            trace_id,
            span_id,
            "request"
        );
        // What is wrong with the server, not with the request, is worth its words.
        if let Some(Failure::Engine(reason) | Failure::Broken(reason)) = failure {
            warn!(id = self.id.to_str().unwrap_or_default(), reason, "the engine failed");
        }
    }
}

/// A method by name; a client may invent one.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// Whether an id is short and without surprises.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The trace and the span of a `traceparent` (W3C Trace Context).
fn parse_trace(header: &str) -> Option<(String, String)> {
    let is_hexadecimal =
        |word: &str, n| word.len() == n && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut words = header.split('-');
    let (_version, trace, span) = (words.next()?, words.next()?, words.next()?);
    (is_hexadecimal(trace, 32) && is_hexadecimal(span, 16))
        .then(|| (trace.to_owned(), span.to_owned()))
}

/// An id that no other request of this process has, and hardly one of another.
fn new_id() -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static STARTED: LazyLock<u64> = LazyLock::new(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (now.as_nanos() as u64) ^ (u64::from(std::process::id()) << 32)
    });
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:016x}-{n:x}", *STARTED);
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_taken_over() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (id, span) = parse_trace(trace).unwrap();
        assert_eq!((id.len(), span.as_str()), (32, "b7ad6b7169203331"));
        for bad in ["", "00", "00-xyz-b7ad6b7169203331-01", "a-b-c-d"] {
            assert_eq!(parse_trace(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_differ() {
        assert_ne!(new_id(), new_id());
        assert!(
            is_plain("req-1") && !is_plain("") && !is_plain("a b") && !is_plain(&"x".repeat(129))
        );
    }
}
