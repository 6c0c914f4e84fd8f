//! The way of every request of gRPC: may it be served, what does its service answer, and what is told of it at its end.

use super::status;
use super::tally::Tally;
use crate::access;
use crate::app::{App, REQUEST_ID, Stage, Unanswered};
use crate::failure::Failure;
use crate::log::Sent;
use crate::socket::InHand;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status};

/// A client that waits longer might as well wait for ever.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A request whose answer is on its way.
struct Answering {
    unanswered: Unanswered,
    app: Arc<App>,
    tally: Tally,
    /// What is left to send; none once the status has been sent.
    body: Option<Body>,
    bytes: u64,
    /// When the client does not wait any more, and how long it has waited then.
    deadline: Option<(Instant, Duration)>,
    /// Whether a shutdown ends the answer. Streams of work end by themselves, when what came is answered.
    ends_on_drain: bool,
    /// Keeps the connection from being idle.
    _in_hand: Option<InHand>,
}

/// Serves one request.
pub async fn serve(app: Arc<App>, mut request: Request, next: Next) -> Response {
    let unanswered = Unanswered::new(&app, &request);
    let id = unanswered.id();
    let tally = Tally::default();
    let in_hand = request.extensions_mut().remove::<InHand>();
    request.extensions_mut().insert(tally.clone());
    let ends_on_drain = !request.uri().path().starts_with("/tei.");
    let allowed = access::check(&app, &request).and_then(|()| allowed(request.headers()));
    let began = Instant::now();
    let deadline =
        allowed.as_ref().ok().and_then(|within| within.map(|within| (began + within, within)));
    let answer = async {
        match allowed {
            Ok(_) => next.run(request).await,
            Err(failure) => failure.into_response(),
        }
    };
    let mut response = tokio::select! {
        response = answer => response,
        failure = late(deadline) => failure.into_response(),
    };
    let failed = response.extensions_mut().remove::<Failure>().or_else(|| {
        let status = response.extensions_mut().remove::<Status>();
        status.and_then(|status| status::failure(&status))
    });
    if let Some(failure) = failed {
        app.metrics.failed(&failure);
        response = Status::from(failure.clone()).into_http();
        tally.fail(failure);
    }
    if let Some(report) = &tally.lock().report {
        report.write(unanswered.begun.elapsed(), response.headers_mut());
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let status = code(response.headers());
    let answering = Answering {
        unanswered,
        app,
        tally,
        body: None,
        bytes: 0,
        deadline,
        ends_on_drain,
        _in_hand: in_hand,
    };
    match status {
        Some(code) => {
            answering.end(code);
            response
        }
        None => response.map(|body| answering.body(body)),
    }
}

impl Answering {
    /// The body, of which is told when it ends.
    fn body(mut self, body: Body) -> Body {
        self.body = Some(body);
        let frames = unfold(Some(self), |answering| async {
            let mut answering = answering?;
            let frame = answering.next().await?;
            let code = frame.as_ref().ok().and_then(Frame::trailers_ref).and_then(code);
            match code {
                Some(code) => {
                    answering.end(code);
                    Some((frame, None))
                }
                None => Some((frame, Some(answering))),
            }
        });
        Body::new(StreamBody::new(Box::pin(frames)))
    }

    async fn next(&mut self) -> Option<Result<Frame<Bytes>, axum::Error>> {
        let body = self.body.as_mut()?;
        let (app, ends) = (self.app.clone(), self.ends_on_drain);
        let drained = async move {
            match ends {
                true => app.reaches(Stage::Draining).await,
                false => std::future::pending().await,
            }
        };
        let failure = tokio::select! {
            biased;
            frame = body.frame() => {
                let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                self.bytes += data.map_or(0, |data| data.len() as u64);
                return frame;
            }
            failure = late(self.deadline) => failure,
            () = drained => Failure::Draining,
        };
        // What is still computed for it is dropped.
        self.body = None;
        self.app.metrics.failed(&failure);
        self.tally.fail(failure.clone());
        let mut trailers = HeaderMap::new();
        // Fails only for metadata that is none of ours.
        let _ = Status::from(failure).add_header(&mut trailers);
        Some(Ok(Frame::trailers(trailers)))
    }

    /// The answer has left.
    fn end(self, code: Code) {
        let code = format!("{code:?}");
        let sent = Sent { status: 200, grpc: Some(code.clone()), bytes: Some(self.bytes) };
        let sum = self.tally.lock();
        self.unanswered.answered(&code, sent, sum.report.as_ref(), sum.failure.as_ref());
    }
}

/// The status that headers or trailers end with.
fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// Waits until a client waits no more.
async fn late(deadline: Option<(Instant, Duration)>) -> Failure {
    match deadline {
        Some((at, within)) => {
            sleep_until(at).await;
            Failure::Timeout(within)
        }
        None => std::future::pending().await,
    }
}

/// How long a client waits, if it says so.
fn allowed(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let within = parse(value).ok_or_else(|| {
        Failure::invalid("grpc-timeout", "it is up to eight digits and one of H, M, S, m, u and n")
    })?;
    Ok((within < LONGEST).then_some(within))
}

fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let unit = text.chars().next_back().filter(char::is_ascii)?;
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(n * 3600),
        'M' => Duration::from_secs(n * 60),
        'S' => Duration::from_secs(n),
        'm' => Duration::from_millis(n),
        'u' => Duration::from_micros(n),
        'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_units() {
        let parsed = |text: &'static str| parse(&HeaderValue::from_static(text));
        for (text, nanos) in [
            ("1n", 1),
            ("250u", 250_000),
            ("20m", 20_000_000),
            ("00000003S", 3_000_000_000),
            ("2M", 120_000_000_000),
            ("99999999H", 359_999_996_400_000_000_000),
        ] {
            assert_eq!(parsed(text).map(|time| time.as_nanos()), Some(nanos), "{text}");
        }
        for bad in ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", " 1S", "1SS"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
