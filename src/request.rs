//! What is done to each text of a request on its way to ids, and to its row on the way back.

use crate::built::{self, SPEC};
use crate::embedder::{EmbedOptions, Embedding, Truncate};
use crate::error::Error;
use crate::tokenizer::{Encoding, Tokenizer};
use crate::vector;
use std::sync::atomic::Ordering;

/// Options, checked, with what every text of the request shares.
pub struct Request {
    /// As the caller gave them.
    pub options: EmbedOptions,
    tokenizer: Tokenizer,
    prefix: String,
    dimensions: usize,
}

impl Request {
    /// # Errors
    /// [`Error::Dimensions`] for a length that no vector of the model has, [`Error::NoPrompts`] for a prompt of a model
    /// that was trained without.
    pub fn new(options: &EmbedOptions) -> Result<Request, Error> {
        let dimensions = options.dimensions.unwrap_or(SPEC.n_embd);
        if dimensions == 0 || dimensions > SPEC.n_embd {
            return Err(Error::Dimensions { asked: dimensions, largest: SPEC.n_embd });
        }
        if options.prompt.is_some() && !SPEC.shape.has_prompts() {
            return Err(Error::NoPrompts);
        }
        let mut prefix = options.prompt.map_or_else(String::new, |p| p.prefix(None).into_owned());
        prefix += options.prefix.as_deref().unwrap_or_default();
        Ok(Request { options: options.clone(), tokenizer: built::tokenizer(), prefix, dimensions })
    }

    /// The ids of a text; `text` is its place in the request.
    pub fn encode(&self, text: usize, input: &str) -> Result<Encoding, Error> {
        let input = self.options.unicode.apply(input);
        let encoding = match self.prefix.as_str() {
            "" => self.tokenizer.encode(&input, SPEC.n_ctx),
            prefix => self.tokenizer.encode(&format!("{prefix}{input}"), SPEC.n_ctx),
        };
        if encoding.dropped > 0 && self.options.truncate == Truncate::None {
            let tokens = encoding.ids.len() + encoding.dropped;
            let exact = encoding.dropped_is_exact;
            return Err(Error::TooLong { text, tokens, exact, n_ctx: SPEC.n_ctx });
        }
        Ok(encoding)
    }

    /// What the caller gets for a text, from the row (n_embd) that the encoder made of its ids.
    pub fn finish(
        &self,
        text: usize,
        encoding: &Encoding,
        row: &[f32],
    ) -> Result<Embedding, Error> {
        let vector = vector::finish(row.to_vec(), self.dimensions, self.options.normalize)
            .ok_or(Error::NotFinite { text })?;
        Ok(Embedding {
            vector,
            tokens: encoding.ids.len(),
            dropped: encoding.dropped,
            dropped_is_exact: encoding.dropped_is_exact,
        })
    }

    /// Whether the caller wants no more.
    pub fn is_cancelled(&self) -> bool {
        self.options.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}
