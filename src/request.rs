//! The steps of a request before and after the encoder: text to ids, and row to vector.

use crate::error::Error;
use crate::options::{EmbedOptions, Truncate};
use crate::tokenizer::{Encoding, Tokenizer};
use crate::vector;
use monomorph_spec::Spec;
use std::sync::atomic::Ordering;

/// A text's vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The vector.
    pub vector: Vec<f32>,
    /// Number of tokens it was made from, prompt and special tokens included.
    pub tokens: usize,
    /// Number of tokens that were dropped because the text was longer than the context.
    pub dropped: usize,
    /// Whether `dropped` is exact, or a lower bound, because only a part of a huge text is tokenized.
    pub dropped_is_exact: bool,
}

/// Checked options, and what all texts of the request share.
pub struct Request {
    /// The caller's options.
    pub options: EmbedOptions,
    spec: &'static Spec,
    tokenizer: Tokenizer,
    prefix: String,
    dimensions: usize,
}

impl Request {
    /// # Errors
    /// [`Error::Dimensions`] for a length that no vector of the model has, [`Error::NoPrompts`] for a prompt of a model
    /// that was trained without.
    pub fn new(
        options: &EmbedOptions,
        spec: &'static Spec,
        tokenizer: Tokenizer,
    ) -> Result<Request, Error> {
        let dimensions = options.dimensions.unwrap_or(spec.n_out);
        if dimensions == 0 || dimensions > spec.n_out {
            return Err(Error::Dimensions { asked: dimensions, largest: spec.n_out });
        }
        if options.prompt.is_some() && spec.prompts.is_empty() {
            return Err(Error::NoPrompts { model: spec.name.to_string() });
        }
        let mut prefix = options.prompt.map_or_else(String::new, |p| p.prefix(None).into_owned());
        prefix += options.prefix.as_deref().unwrap_or_default();
        Ok(Request { options: options.clone(), spec, tokenizer, prefix, dimensions })
    }

    /// The ids of a text; `text` is its place in the request.
    pub fn encode(&self, text: usize, input: &str) -> Result<Encoding, Error> {
        let n_ctx = self.spec.n_ctx;
        let mut input = self.options.unicode.apply(input);
        if !self.prefix.is_empty() {
            input = format!("{}{input}", self.prefix).into();
        }
        let encoding = match self.options.truncate {
            Truncate::Start => self.tokenizer.encode_end(&input, n_ctx),
            Truncate::End | Truncate::None => self.tokenizer.encode(&input, n_ctx),
        };
        if encoding.dropped > 0 && self.options.truncate == Truncate::None {
            let tokens = encoding.ids.len() + encoding.dropped;
            let exact = encoding.dropped_is_exact;
            return Err(Error::TooLong { text, tokens, exact, n_ctx });
        }
        Ok(encoding)
    }

    /// A text's vector, from the row (n_out) that the encoder made of its ids.
    pub fn finish(&self, text: usize, row: &[f32]) -> Result<Vec<f32>, Error> {
        if row.len() != self.spec.n_out {
            return Err(Error::Rows { values: row.len(), expected: self.spec.n_out });
        }
        vector::finish(row.to_vec(), self.dimensions, self.spec.shortening, self.options.normalize)
            .ok_or(Error::NotFinite { text })
    }

    /// The result for a text.
    pub fn embedding(
        &self,
        text: usize,
        encoding: &Encoding,
        row: &[f32],
    ) -> Result<Embedding, Error> {
        Ok(Embedding {
            vector: self.finish(text, row)?,
            tokens: encoding.ids.len(),
            dropped: encoding.dropped,
            dropped_is_exact: encoding.dropped_is_exact,
        })
    }

    /// Whether the caller has cancelled the request.
    pub fn is_cancelled(&self) -> bool {
        self.options.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}
