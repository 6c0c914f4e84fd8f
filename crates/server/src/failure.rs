//! Why a request is not answered as it was asked, and how each family of clients is told.
//!
//! A handler returns a [`Failure`], which knows no family. Where the answer leaves (`app`), the family of its path gives
//! it a status and a shape: clients parse errors, and many parse any answer as JSON without a look at its status.

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Whose clients a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OpenAI's, and llama-server's.
    OpenAi,
    /// Text Embeddings Inference's.
    Tei,
    /// Ollama's.
    Ollama,
}

/// What [`Failure::label`] may say.
pub const LABELS: [&str; 8] = [
    "overloaded",
    "draining",
    "batch_size",
    "tokenization",
    "inference",
    "timeout",
    "model_type",
    "validation",
];

/// Paths of TEI's routes, those included that are not offered.
const TEI: [&str; 15] = [
    "/",
    "/decode",
    "/embed",
    "/embed_all",
    "/embed_sparse",
    "/generate",
    "/generate_stream",
    "/info",
    "/invocations",
    "/ping",
    "/predict",
    "/rerank",
    "/similarity",
    "/tokenize",
    "/vertex",
];

impl Family {
    /// The family of a path.
    pub fn of(path: &str) -> Family {
        match path {
            path if path.starts_with("/api/") => Family::Ollama,
            path if TEI.contains(&path) => Family::Tei,
            _ => Family::OpenAi,
        }
    }
}

/// Why a request is not answered as it was asked. Sentences are for the client; they quote no text.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The body is no JSON.
    NotJson(String),
    /// A field has a value that it cannot have.
    Invalid { field: Option<String>, reason: String },
    /// Token ids where only texts are taken.
    TokenIds,
    /// Nothing to embed.
    NoTexts,
    /// More texts than a request may have.
    TooManyTexts { found: usize, most: usize },
    /// A text is longer than the context, and must not be cut.
    TooLong { text: usize, reason: String },
    /// The request is larger than any may be.
    TooLarge(String),
    /// The body did not arrive in time.
    SlowBody(Duration),
    /// The body is of a form that is not read.
    UnsupportedMedia(String),
    /// No key, or a wrong one.
    Key,
    /// A page of another origin, or under another name.
    Forbidden(String),
    /// No model of that name.
    UnknownModel(String),
    /// No such route.
    NoRoute { method: String, path: String },
    /// Not with this method.
    Method { method: String, path: String },
    /// A route of this family that an embedding model cannot serve.
    NotOffered(&'static str),
    /// Too much work waits.
    Overloaded { retry: Duration },
    /// The server is shutting down.
    Draining,
    /// It took longer than any request may take.
    Timeout(Duration),
    /// The engine failed, and may succeed again.
    Engine(String),
    /// The engine cannot succeed any more.
    Broken(String),
    /// A text's vector is not finite.
    NotFinite { text: usize },
}

impl Failure {
    /// A field that cannot have this value.
    pub fn invalid(field: &str, reason: impl Into<String>) -> Failure {
        Failure::Invalid { field: Some(field.to_owned()), reason: reason.into() }
    }

    /// A handler panicked.
    pub fn panicked() -> Failure {
        Failure::Engine("a bug in this server: a handler panicked".to_owned())
    }

    /// The sentence for the client.
    pub fn reason(&self) -> String {
        match self {
            Failure::NotJson(reason) => format!("the body is not JSON: {reason}"),
            Failure::Invalid { field: Some(field), reason } => format!("{field}: {reason}"),
            Failure::Invalid { field: None, reason } => reason.clone(),
            Failure::TokenIds => {
                "input: this server has another vocabulary than OpenAI's; send text (LangChain: \
                 check_embedding_ctx_length=False), or start it with --token-ids if the ids are of this model"
                    .to_owned()
            }
            Failure::NoTexts => "the request has no texts".to_owned(),
            // TEI's words, which some clients look for.
            Failure::TooManyTexts { found, most } => {
                format!("batch size {found} > maximum allowed batch size {most}")
            }
            Failure::TooLong { text, reason } => format!("the text at index {text}: {reason}"),
            Failure::TooLarge(reason)
            | Failure::UnsupportedMedia(reason)
            | Failure::Forbidden(reason)
            | Failure::Engine(reason)
            | Failure::Broken(reason) => reason.clone(),
            Failure::SlowBody(most) => {
                format!("the body did not arrive within {} s", most.as_secs())
            }
            Failure::Key => "a valid API key is required: Authorization: Bearer KEY".to_owned(),
            Failure::UnknownModel(name) => format!("model '{name}' not found"),
            Failure::NoRoute { method, path } => format!("there is no route {method} {path}"),
            Failure::Method { method, path } => format!("{path} does not take {method}"),
            Failure::NotOffered(what) => {
                format!("this server has an embedding model, which cannot {what}")
            }
            Failure::Overloaded { .. } => "Model is overloaded".to_owned(),
            Failure::Draining => "the server is shutting down".to_owned(),
            Failure::Timeout(most) => {
                format!("the request took longer than {} s", most.as_secs_f64())
            }
            Failure::NotFinite { text } => {
                format!("the text at index {text}: its vector is not finite: the weights are damaged")
            }
        }
    }

    /// The status in a family.
    pub fn status(&self, family: Family) -> StatusCode {
        use StatusCode as S;
        let by_family = |open_ai, tei, ollama| match family {
            Family::OpenAi => open_ai,
            Family::Tei => tei,
            Family::Ollama => ollama,
        };
        match self {
            Failure::NotJson(_) | Failure::NoTexts => S::BAD_REQUEST,
            Failure::Invalid { .. }
            | Failure::TokenIds
            | Failure::TooManyTexts { .. }
            | Failure::TooLong { .. } => {
                by_family(S::BAD_REQUEST, S::UNPROCESSABLE_ENTITY, S::BAD_REQUEST)
            }
            Failure::TooLarge(_) => S::PAYLOAD_TOO_LARGE,
            Failure::SlowBody(_) => S::REQUEST_TIMEOUT,
            Failure::UnsupportedMedia(_) => S::UNSUPPORTED_MEDIA_TYPE,
            Failure::Key => S::UNAUTHORIZED,
            Failure::Forbidden(_) => S::FORBIDDEN,
            Failure::UnknownModel(_) | Failure::NoRoute { .. } => S::NOT_FOUND,
            Failure::Method { .. } => S::METHOD_NOT_ALLOWED,
            Failure::NotOffered(_) => by_family(S::NOT_FOUND, S::FAILED_DEPENDENCY, S::NOT_FOUND),
            Failure::Overloaded { .. } => {
                by_family(S::TOO_MANY_REQUESTS, S::TOO_MANY_REQUESTS, S::SERVICE_UNAVAILABLE)
            }
            Failure::Draining | Failure::Broken(_) => S::SERVICE_UNAVAILABLE,
            Failure::Timeout(_) => S::GATEWAY_TIMEOUT,
            Failure::Engine(_) | Failure::NotFinite { .. } => {
                by_family(S::INTERNAL_SERVER_ERROR, S::FAILED_DEPENDENCY, S::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// OpenAI's `type` and `code`.
    fn open_ai(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Failure::Key => ("authentication_error", Some("invalid_api_key")),
            Failure::Forbidden(_) => ("permission_error", None),
            Failure::Overloaded { .. } => ("rate_limit_error", Some("overloaded")),
            Failure::Draining
            | Failure::Broken(_)
            | Failure::Engine(_)
            | Failure::NotFinite { .. } => ("server_error", None),
            Failure::Timeout(_) => ("server_error", Some("timeout")),
            Failure::TooLong { .. } => ("invalid_request_error", Some("context_length_exceeded")),
            Failure::TooLarge(_) => ("invalid_request_error", Some("request_too_large")),
            Failure::TokenIds => ("invalid_request_error", Some("token_ids_not_accepted")),
            Failure::UnknownModel(_) => ("invalid_request_error", Some("model_not_found")),
            _ => ("invalid_request_error", None),
        }
    }

    /// TEI's `error_type`.
    fn tei(&self) -> &'static str {
        match self {
            Failure::NoTexts => "Empty",
            Failure::Key | Failure::Forbidden(_) => "Unauthorized",
            Failure::Overloaded { .. } => "Overloaded",
            Failure::Draining | Failure::Broken(_) => "Unhealthy",
            Failure::Timeout(_)
            | Failure::Engine(_)
            | Failure::NotFinite { .. }
            | Failure::NotOffered(_) => "Backend",
            _ => "Validation",
        }
    }

    /// The `err` of TEI's counter of failed requests, and of our counter of rejected ones.
    pub fn label(&self) -> &'static str {
        match self {
            Failure::Overloaded { .. } => "overloaded",
            Failure::Draining => "draining",
            Failure::TooManyTexts { .. } => "batch_size",
            Failure::TooLong { .. } => "tokenization",
            Failure::Engine(_) | Failure::Broken(_) | Failure::NotFinite { .. } => "inference",
            Failure::Timeout(_) => "timeout",
            Failure::NotOffered(_) => "model_type",
            _ => "validation",
        }
    }

    fn body(&self, family: Family) -> Value {
        match family {
            Family::OpenAi => {
                let (kind, code) = self.open_ai();
                let param = match self {
                    Failure::Invalid { field, .. } => field.as_deref(),
                    Failure::TokenIds | Failure::NoTexts | Failure::TooManyTexts { .. } => {
                        Some("input")
                    }
                    Failure::UnknownModel(_) => Some("model"),
                    _ => None,
                };
                json!({"error": {
                    "message": self.reason(), "type": kind, "param": param, "code": code,
                }})
            }
            Family::Tei => json!({"error": self.reason(), "error_type": self.tei()}),
            Family::Ollama => json!({"error": match self {
                Failure::TooLong { .. } => "the input length exceeds the context length".to_owned(),
                Failure::Invalid { field: Some(field), .. } if field == "input" => {
                    "invalid input type".to_owned()
                }
                other => other.reason(),
            }}),
        }
    }

    /// The whole answer in a family.
    pub fn render(&self, family: Family) -> Response {
        let mut response = Response::new(Body::from(self.body(family).to_string()));
        *response.status_mut() = self.status(family);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Failure::Key => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Failure::Overloaded { retry } => {
                // openai-python reads the milliseconds first.
                let ms = retry.as_millis() as u64;
                headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
                headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from(ms));
            }
            Failure::Draining => {
                headers.insert(RETRY_AFTER, HeaderValue::from(1));
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // What was not read must not be taken for the next request.
            Failure::TooLarge(_) | Failure::SlowBody(_) => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // The same request would fail in the same way, after the same time.
            Failure::Timeout(_) | Failure::Engine(_) | Failure::NotFinite { .. } => {
                let name = HeaderName::from_static("x-should-retry");
                headers.insert(name, HeaderValue::from_static("false"));
            }
            _ => {}
        }
        response
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())
    }
}

impl Error for Failure {}

impl IntoResponse for Failure {
    /// A response that only carries the failure, until [`Failure::render`] is called for its path.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response.extensions_mut().insert(self);
        response
    }
}
