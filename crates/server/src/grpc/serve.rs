//! How each gRPC request is handled: the access check, the service's answer, and, once that has ended, metrics and log.

use super::delivery::Delivery;
use super::status;
use super::tally::Tally;
use crate::access;
use crate::app::{App, REQUEST_ID, Stage, Unanswered};
use crate::failure::Failure;
use crate::log::Sent;
use crate::socket::InHand;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status};

/// A client that waits longer might as well wait for ever.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The encodings that a server takes.
const ACCEPTED: &str = "grpc-accept-encoding";

/// A request whose answer is on its way. If it is dropped so, the client has left.
struct Answering {
    unanswered: Unanswered,
    app: Arc<App>,
    tally: Tally,
    bytes: u64,
    /// The client's deadline, and the timeout that it gave.
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
        // Which encodings tonic takes, where a message has another.
        let accepted = response.headers_mut().remove(ACCEPTED);
        response = Status::from(failure.clone()).into_http();
        accepted.map(|accepted| response.headers_mut().insert(ACCEPTED, accepted));
        tally.fail(failure);
    }
    if let Some(report) = &tally.lock().report {
        report.write(unanswered.begun.elapsed(), response.headers_mut());
    }
    response.headers_mut().insert(REQUEST_ID, id);
    let status = code(response.headers());
    let answering =
        Answering { unanswered, app, tally, bytes: 0, deadline, ends_on_drain, _in_hand: in_hand };
    match status {
        Some(code) => {
            answering.end(code);
            response
        }
        None => response.map(|body| answering.body(body)),
    }
}

impl Answering {
    /// Wraps the body, so that its end is counted and logged.
    fn body(self, body: Body) -> Body {
        let (delivery, delivered) = Delivery::new(self.app.options.limits.write_time);
        tokio::spawn(self.deliver(body, delivery));
        delivered
    }

    /// Sends all of the body, unless the deadline or a shutdown ends it.
    async fn deliver(mut self, body: Body, delivery: Delivery) {
        let interruption = self.interruption();
        let trailers = tokio::select! {
            // A body that always has something must not outrun its deadline.
            biased;
            failure = interruption => Some(self.fail(failure)),
            trailers = self.forward(body, &delivery) => trailers,
        };
        let Some(trailers) = trailers else { return };
        self.end(code(&trailers).unwrap_or(Code::Unknown));
        delivery.send(Ok(Frame::trailers(trailers))).await;
    }

    /// Sends the body's data; its trailers are still to be sent, if the client takes them.
    async fn forward(&mut self, mut body: Body, delivery: &Delivery) -> Option<HeaderMap> {
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame?,
                () = delivery.closed() => return None,
            };
            match frame.map(Frame::into_trailers) {
                Ok(Ok(trailers)) => return Some(trailers),
                Ok(Err(frame)) => {
                    self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    delivery.send(Ok(frame)).await?;
                }
                Err(error) => delivery.send(Err(error)).await?,
            }
        }
    }

    /// Waits for what ends an answer before its time.
    fn interruption(&self) -> impl Future<Output = Failure> + use<> {
        let (app, ends_on_drain, deadline) = (self.app.clone(), self.ends_on_drain, self.deadline);
        async move {
            tokio::select! {
                failure = late(deadline) => failure,
                () = app.reaches(Stage::Draining), if ends_on_drain => Failure::Draining,
            }
        }
    }

    /// The trailers of an answer that ends with this.
    fn fail(&self, failure: Failure) -> HeaderMap {
        self.app.metrics.failed(&failure);
        self.tally.fail(failure.clone());
        let mut trailers = HeaderMap::new();
        // Fails only for invalid metadata, which ours is not.
        let _ = Status::from(failure).add_header(&mut trailers);
        trailers
    }

    /// The answer has left.
    fn end(self, code: Code) {
        let name = status::name(code);
        let sent = Sent { status: 200, grpc: Some(name), bytes: Some(self.bytes) };
        let mut sum = self.tally.lock();
        if code != Code::Ok && sum.failure.is_none() {
            // What health and reflection do not know.
            let failure = Failure::Invalid { field: None, reason: name.to_owned() };
            self.app.metrics.failed(&failure);
            sum.failure = Some(failure);
        }
        self.unanswered.answered(name, sent, sum.report.as_ref(), sum.failure.as_ref());
    }
}

/// The status that headers or trailers end with.
fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// Waits for the deadline.
async fn late(deadline: Option<(Instant, Duration)>) -> Failure {
    match deadline {
        Some((at, within)) => {
            sleep_until(at).await;
            Failure::Timeout(within)
        }
        None => std::future::pending().await,
    }
}

/// The request's `grpc-timeout`, if it has one.
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
