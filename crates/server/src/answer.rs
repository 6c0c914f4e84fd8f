//! The bodies of answers.

use crate::failure::Failure;
use crate::report::Report;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};

/// Answers with more vectors than this are written by another thread than the one that serves all connections: two
/// thousand vectors are 16 MB of text.
pub const MOST_INLINE: usize = 64;

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
    reported(value, report, texts).await
}

/// An answer of JSON that has as many vectors as the report has tokens.
pub async fn rows(
    value: impl Serialize + Send + 'static,
    report: Report,
) -> Result<Response, Failure> {
    let tokens = report.tokens;
    reported(value, report, tokens).await
}

async fn reported(
    value: impl Serialize + Send + 'static,
    report: Report,
    vectors: usize,
) -> Result<Response, Failure> {
    let mut response = blocking(vectors > MOST_INLINE, move || json(&value)).await??;
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
}
