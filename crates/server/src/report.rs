//! What an answer says of its own making: in its headers, in the log's line and in the metrics.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// What was done for a request that embedded something.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Texts.
    pub texts: usize,
    /// Characters of the texts.
    pub characters: usize,
    /// Tokens that were computed, prompts and marks included.
    pub tokens: usize,
    /// Texts that were cut to the context.
    pub truncated: usize,
    /// Time of turning texts into ids.
    pub tokenization: Duration,
    /// Time in the queue, between passes included.
    pub queue: Duration,
    /// Time of the passes that the request had a text in.
    pub inference: Duration,
    /// Texts whose rows were kept from before; none where no rows are kept.
    pub cached: Option<usize>,
    /// What the vectors can be compared with: model, fingerprint, dimensions, prompt.
    pub space: String,
}

impl Report {
    /// The report of two requests that are one to the client.
    pub fn with(self, second: Report) -> Report {
        Report {
            texts: self.texts + second.texts,
            characters: self.characters + second.characters,
            tokens: self.tokens + second.tokens,
            truncated: self.truncated + second.truncated,
            tokenization: self.tokenization + second.tokenization,
            queue: self.queue.max(second.queue),
            inference: self.inference.max(second.inference),
            cached: self.cached.zip(second.cached).map(|(first, second)| first + second),
            space: second.space,
        }
    }

    /// TEI's headers and ours; `total` is the time since the request's head was read.
    pub fn write(&self, total: Duration, headers: &mut HeaderMap) {
        let mut set = |name, value: HeaderValue| {
            headers.insert(HeaderName::from_static(name), value);
        };
        let ms = |time: Duration| HeaderValue::from(time.as_millis() as u64);
        set("x-compute-type", HeaderValue::from_static("cpu"));
        set("x-compute-time", ms(self.tokenization + self.inference));
        set("x-compute-characters", HeaderValue::from(self.characters));
        set("x-compute-tokens", HeaderValue::from(self.tokens));
        set("x-total-time", ms(total));
        set("x-tokenization-time", ms(self.tokenization));
        set("x-queue-time", ms(self.queue));
        set("x-inference-time", ms(self.inference));
        if self.truncated > 0 {
            set("x-truncated-texts", HeaderValue::from(self.truncated));
        }
        if let Some(hits) = self.cached
            && let Ok(cached) = HeaderValue::try_from(format!("{hits}/{}", self.texts))
        {
            set("x-cache", cached);
        }
        let fraction = |time: Duration| time.as_secs_f64() * 1e3;
        let timing = format!(
            "tokenization;dur={:.3}, queue;dur={:.3}, inference;dur={:.3}",
            fraction(self.tokenization),
            fraction(self.queue),
            fraction(self.inference)
        );
        if let Ok(timing) = HeaderValue::try_from(timing) {
            set("server-timing", timing);
        }
        if let Ok(space) = HeaderValue::try_from(self.space.as_str()) {
            set("x-embedding-space", space);
        }
    }
}
