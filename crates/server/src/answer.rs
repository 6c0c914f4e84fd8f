//! How answers leave: their bodies, their line in the log, and what browsers are told.

use crate::failure::Failure;
use crate::report::Report;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tower_http::cors::CorsLayer;
use tracing::{info, warn};

/// Answers with more vectors than this are written by another thread than the one that serves all connections: two
/// thousand vectors are 16 MB of text.
const MOST_INLINE: usize = 64;

/// A vector as an answer holds it.
#[derive(Clone, Debug)]
pub enum Vector {
    /// Numbers, printed as short as they can be so that they are read as the same float32.
    Floats(Vec<f32>),
    /// Little-endian float32 in base64.
    Base64(Vec<f32>),
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::display::Base64Display;
        use base64::engine::general_purpose::STANDARD;
        match self {
            Vector::Floats(values) => values.serialize(serializer),
            Vector::Base64(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                serializer.collect_str(&Base64Display::new(&bytes, &STANDARD))
            }
        }
    }
}

/// An answer of JSON.
pub fn json(value: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(value).map_err(|error| Failure::Engine(error.to_string()))?;
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((kind, Body::from(body)).into_response())
}

/// An answer of JSON that has as many vectors as the report has texts.
pub async fn vectors(
    value: impl Serialize + Send + 'static,
    report: Report,
) -> Result<Response, Failure> {
    let texts = report.texts;
    let mut response = blocking(texts > MOST_INLINE, move || json(&value)).await??;
    response.extensions_mut().insert(report);
    Ok(response)
}

/// Runs a function, on a thread of its own if it takes long: this one serves all connections.
pub async fn blocking<T: Send + 'static>(
    is_long: bool,
    function: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    if !is_long {
        return Ok(function());
    }
    let failed = |_| Failure::Engine("a bug in this server: a thread panicked".to_owned());
    tokio::task::spawn_blocking(function).await.map_err(failed)
}

/// What pages of these origins may do.
pub fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE]);
    match origins.iter().any(|origin| origin == "*") {
        true => layer.allow_origin(tower_http::cors::Any),
        false => layer.allow_origin(
            origins.iter().filter_map(|origin| origin.parse().ok()).collect::<Vec<HeaderValue>>(),
        ),
    }
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer(pub String);

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

    /// Writes the line; without a response, the client has left.
    pub fn write(
        self,
        response: Option<&Response>,
        report: Option<&Report>,
        failure: Option<&Failure>,
        total: Duration,
    ) {
        let none = Report::default();
        let report = report.unwrap_or(&none);
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let (trace_id, span_id) = self.trace.unzip();
        let bytes = response.and_then(|response| response.body().size_hint().exact());
        info!(
            id = self.id.to_str().unwrap_or_default(),
            method = known(&self.method),
            route = self.route,
            status = response.map_or(499, |response| response.status().as_u16()),
            reason = failure.map(Failure::label),
            texts = report.texts,
            tokens = report.tokens,
            truncated = report.truncated,
            tokenizing_ms = ms(report.tokenization),
            queued_ms = ms(report.queue),
            computing_ms = ms(report.inference),
            total_ms = ms(total),
            bytes,
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
    static STARTED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
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
    fn vectors_are_read_as_the_same_bits() {
        let values =
            [0.1, -0.0, 1.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, 0.333_333_34, 16_777_217.0];
        let text = serde_json::to_string(&Vector::Floats(values.to_vec())).unwrap();
        let read: Vec<f64> = serde_json::from_str(&text).unwrap();
        let bits =
            |values: &mut dyn Iterator<Item = f32>| values.map(f32::to_bits).collect::<Vec<_>>();
        let read = bits(&mut read.iter().map(|value| *value as f32));
        assert_eq!(read, bits(&mut values.iter().copied()), "{text}");
        // What OpenAI's documentation shows: little-endian float32.
        let text = serde_json::to_string(&Vector::Base64(vec![0.1, 1.0])).unwrap();
        assert_eq!(text, "\"zczMPQAAgD8=\"");
    }

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
