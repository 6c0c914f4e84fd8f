//! Reading a request's body: JSON, whatever its content type says, of bounded size and in bounded time.

use crate::answer::blocking;
use crate::app::App;
use crate::failure::Failure;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::Version;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longer bodies are parsed by another thread than the one that serves all connections.
const LONG: usize = 256 << 10;

/// The most bytes of a token in a body, roughly: four characters, each escaped.
const MOST_PER_TOKEN: usize = 24;

/// When a client may come again whose body found no room.
const RETRY: Duration = Duration::from_secs(1);

/// A body that was parsed as what a route takes.
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// Its share of what all bodies may hold, until the request is answered.
    pub held: Held,
}

/// The same of a request that gives the engine work: where too much waits, it is refused before it is read, because
/// parsing a long body would keep others waiting.
pub struct Work<T>(pub Json<T>);

/// A share of what all bodies may hold.
pub struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    /// A share of so many bytes, if they are to be had.
    pub fn new(app: &App, bytes: usize) -> Result<Held, Failure> {
        let mut held = Held::nothing(app);
        held.grow(bytes, app.options.limits.bodies)?;
        Ok(held)
    }

    /// No share yet.
    pub fn nothing(app: &App) -> Held {
        Held { all: app.held.clone(), bytes: 0 }
    }

    /// Whether nothing is held.
    #[cfg(feature = "grpc")]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// So many bytes more, if all bodies have no more than `most` then.
    pub fn grow(&mut self, bytes: usize, most: usize) -> Result<(), Failure> {
        let before = self.all.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > most { Err(Failure::Overloaded { retry: RETRY }) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Json<T>, Failure> {
        let checked = check(&request, app);
        receive(request, app, checked).await
    }
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for Work<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Work<T>, Failure> {
        let tokens = announced(request.body()) / MOST_PER_TOKEN;
        let checked = check(&request, app).and_then(|()| app.dispatcher.foresee(tokens));
        receive(request, app, checked).await.map(Work)
    }
}

/// Reads and parses a body, unless its head was refused.
async fn receive<T: DeserializeOwned + Send + 'static>(
    request: Request,
    app: &App,
    checked: Result<(), Failure>,
) -> Result<Json<T>, Failure> {
    if let Err(failure) = checked {
        discard(request).await;
        return Err(failure);
    }
    let within = app.options.limits.body_time;
    let (bytes, held) = tokio::time::timeout(within, read(request.into_body(), app))
        .await
        .unwrap_or(Err(Failure::SlowBody(within)))?;
    let value = blocking(bytes.len() > LONG, move || parse(&bytes)).await??;
    Ok(Json { value, held })
}

/// Reads what a client is still sending of a request that is refused: a connection that is closed with something unread
/// is reset, and the answer may be lost. A client that waits to be told to send its body is not told. HTTP/2 ends a
/// request without its connection.
pub async fn discard(request: Request) {
    const MOST: usize = 64 << 20;
    const PATIENCE: Duration = Duration::from_secs(1);
    if request.headers().contains_key(EXPECT) || request.version() == Version::HTTP_2 {
        return;
    }
    let mut body = request.into_body();
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, |data| data.len());
            if bytes > MOST {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await;
}

fn too_large(app: &App) -> Failure {
    let most = app.options.limits.body;
    Failure::TooLarge(format!("the body is larger than the {most} bytes that one may have"))
}

/// What the head says of the body.
fn check(request: &Request, app: &App) -> Result<(), Failure> {
    if app.is_draining() {
        return Err(Failure::Draining);
    }
    let headers = request.headers();
    let starts = |name, prefix: &str| {
        let value = headers.get(name).map(|value: &axum::http::HeaderValue| value.as_bytes());
        value
            .and_then(|value| value.get(..prefix.len()))
            .is_some_and(|value| value.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if starts(CONTENT_TYPE, "multipart/") {
        return Err(Failure::UnsupportedMedia("the body must be JSON, not multipart".to_owned()));
    }
    if headers.contains_key(CONTENT_ENCODING) && !starts(CONTENT_ENCODING, "identity") {
        return Err(Failure::UnsupportedMedia("the body must not be compressed".to_owned()));
    }
    match announced(request.body()) > app.options.limits.body {
        true => Err(too_large(app)),
        false => Ok(()),
    }
}

/// How many bytes a body has, as far as the head says.
fn announced(body: &Body) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

async fn read(mut body: Body, app: &App) -> Result<(Vec<u8>, Held), Failure> {
    let limits = app.options.limits;
    let announced = announced(&body);
    let mut held = Held::new(app, announced)?;
    let mut bytes = Vec::with_capacity(announced.min(64 << 10));
    while let Some(frame) = body.frame().await {
        let unreadable = |_| Failure::NotJson("it ended early or is malformed".to_owned());
        let Ok(data) = frame.map_err(unreadable)?.into_data() else { continue };
        if bytes.len() + data.len() > limits.body {
            return Err(too_large(app));
        }
        bytes.extend_from_slice(&data);
        held.grow(bytes.len().saturating_sub(held.bytes), limits.bodies)?;
    }
    Ok((bytes, held))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    // Serde would take an array's items for the fields in their order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Failure::Invalid {
            field: None,
            reason: "the body must be a JSON object".to_owned(),
        });
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // The field itself, not a place inside.
        let path = error.path().to_string();
        let field = path.split(['.', '[']).next().filter(|field| !field.is_empty());
        failure(error.inner(), field.map(str::to_owned))
    })?;
    json.end().map_err(|error| failure(&error, None))?;
    Ok(value)
}

fn failure(error: &serde_json::Error, field: Option<String>) -> Failure {
    match error.classify() {
        Category::Data => Failure::Invalid { field, reason: error.to_string() },
        _ => Failure::NotJson(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::Inputs;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Example {
        input: Option<Inputs>,
        dimensions: Option<usize>,
    }

    fn refused(json: &str) -> (Option<String>, String) {
        match parse::<Example>(json.as_bytes()).unwrap_err() {
            Failure::Invalid { field, reason } => (field, reason),
            Failure::NotJson(reason) => (None, format!("not JSON: {reason}")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn null_is_absent_and_others_are_ignored() {
        let json = r#"{"input": null, "user": {"deep": [1, 2]}, "dimensions": null}"#;
        let example: Example = parse(json.as_bytes()).unwrap();
        assert!(example.input.is_none() && example.dimensions.is_none());
    }

    /// What is ignored is not kept, however deep it is.
    #[test]
    fn depth_is_bounded_or_ignored() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert!(parse::<Example>(format!("{{\"x\": {deep}}}").as_bytes()).is_ok());
        assert_eq!(refused(&format!("{{\"input\": {deep}}}")).0.as_deref(), Some("input"));
    }

    #[test]
    fn the_field_is_named() {
        assert_eq!(refused(r#"{"dimensions": "many"}"#).0.as_deref(), Some("dimensions"));
        assert_eq!(refused(r#"{"dimensions": -1}"#).0.as_deref(), Some("dimensions"));
        assert_eq!(refused(r#"{"dimensions": 1.5}"#).0.as_deref(), Some("dimensions"));
        assert_eq!(refused(r#"{"input": 5}"#).0.as_deref(), Some("input"));
        let (field, reason) = refused("[]");
        assert!(field.is_none() && !reason.starts_with("not JSON"), "{reason}");
    }

    #[test]
    fn what_is_no_json_is_said_so() {
        let bytes: [&[u8]; 8] = [
            b"",
            b"{",
            b"{}x",
            b"{\"input\": \"\xff\"}",
            b"{\"input\": NaN}",
            b"{\"dimensions\": 1e999}",
            b"{\"input\": \"\\ud800\"}",
            b"input=1",
        ];
        for bytes in bytes {
            let failure = parse::<Example>(bytes).unwrap_err();
            assert!(matches!(failure, Failure::NotJson(_)), "{bytes:?}: {failure:?}");
        }
    }
}
