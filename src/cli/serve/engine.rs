//! The model of this binary as the server's engine.

use std::sync::atomic::AtomicBool;

use monomorph::built::{FINGERPRINT, SPEC};
use monomorph::{EmbedOptions, Embedder, Error, Prompt, Truncate, cosine};
use monomorph_server::{Between, Encoding, Engine, EngineError, Facts, Token, TooLong};

use super::tokens;

/// The open model.
pub struct Model {
    embedder: Embedder,
    facts: Facts,
}

impl Model {
    pub fn new(embedder: Embedder) -> Model {
        let info = embedder.info();
        let facts = Facts {
            name: SPEC.name.to_string(),
            architecture: SPEC.architecture.to_string(),
            format: format(),
            fingerprint: format!("{:032x}", FINGERPRINT.content),
            pooling: SPEC.pooling.to_string(),
            dimensions: info.dimensions,
            n_embd: SPEC.n_embd,
            n_ctx: info.n_ctx,
            n_vocab: SPEC.n_vocab,
            prompts: SPEC.prompts.iter().copied().map(prompt).collect(),
            isa: info.isa.to_owned(),
            path: info.path.to_owned(),
            threads: info.threads,
            parameters: SPEC.tensors().map(|(_, tensor)| (tensor.rows * tensor.cols) as u64).sum(),
            bytes: FINGERPRINT.file_len,
            license: stated_license(),
            kept_bytes: info.kept_bytes,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Model { embedder, facts }
    }
}

/// What the file says of its licence.
fn stated_license() -> Option<String> {
    let stated: Vec<&str> = SPEC.license.stated().collect();
    (!stated.is_empty()).then(|| stated.join(", "))
}

/// The format of most of the matrices' bytes.
fn format() -> String {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for (_, tensor) in SPEC.tensors().filter(|(_, tensor)| tensor.rows > 1) {
        let kind = tensor.kind.to_string();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, bytes)) => *bytes += tensor.n_bytes,
            None => kinds.push((kind, tensor.n_bytes)),
        }
    }
    kinds.into_iter().max_by_key(|(_, bytes)| *bytes).map_or_else(String::new, |(kind, _)| kind)
}

/// An error of a pass as the server knows it.
fn failed(error: Error) -> EngineError {
    match error {
        Error::Cancelled => EngineError::Cancelled,
        // Paths of this machine are none of a client's business.
        Error::Changed { .. } | Error::Open { .. } => EngineError::Broken(
            "the model's file was changed after it was opened; the server must be restarted"
                .to_owned(),
        ),
        error => EngineError::Failed(error.to_string()),
    }
}

/// A prompt as the server knows it.
pub fn prompt(prompt: Prompt) -> monomorph_server::Prompt {
    let prefix = prompt.prefix(None).into_owned();
    monomorph_server::Prompt { name: prompt.name().to_owned(), prefix }
}

/// A choice as the server knows it.
pub fn truncate(truncate: Truncate) -> monomorph_server::Truncate {
    match truncate {
        Truncate::End => monomorph_server::Truncate::End,
        Truncate::Start => monomorph_server::Truncate::Start,
        Truncate::None => monomorph_server::Truncate::None,
    }
}

impl Engine for Model {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn prompt(&self, name: &str) -> Result<monomorph_server::Prompt, String> {
        self.embedder.prompt(name).map(prompt).map_err(|error| error.to_string())
    }

    fn encode(
        &self,
        text: &str,
        prefix: &str,
        truncate: monomorph_server::Truncate,
    ) -> Result<Encoding, TooLong> {
        let truncate = match truncate {
            monomorph_server::Truncate::End => Truncate::End,
            monomorph_server::Truncate::Start => Truncate::Start,
            monomorph_server::Truncate::None => Truncate::None,
        };
        let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        let options = EmbedOptions { prefix, truncate, ..EmbedOptions::default() };
        match self.embedder.encode(text, &options) {
            Ok(encoding) => Ok(Encoding { ids: encoding.ids, dropped: encoding.dropped }),
            // The options suit the model, so the text is too long.
            Err(error) => Err(TooLong { reason: error.reason() }),
        }
    }

    fn embed(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        self.embedder.embed_ids(texts, Some(cancel), rows).map_err(failed)
    }

    fn embed_long(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        between: Between<'_>,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        let mut pass = self.embedder.pass(texts).map_err(failed)?;
        while !pass.resume(Some(cancel), between.wanted, rows).map_err(failed)? {
            (between.run)();
        }
        Ok(())
    }

    fn token_rows(
        &self,
        ids: &[u32],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError> {
        self.embedder.token_rows(ids, Some(cancel), rows).map_err(failed)
    }

    fn finish(&self, row: &[f32], dimensions: usize, normalize: bool) -> Option<Vec<f32>> {
        let dimensions = Some(dimensions);
        let options = EmbedOptions { dimensions, normalize, ..EmbedOptions::default() };
        self.embedder.finish(row, &options).ok()
    }

    fn cosine(&self, a: &[f32], b: &[f32]) -> f32 {
        cosine(a, b)
    }

    fn tokens(&self, text: &str, prefix: &str, marks: bool, most: usize) -> Option<Vec<Token>> {
        tokens::of(self.embedder.tokenizer(), &format!("{prefix}{text}"), marks, most)
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        self.embedder.tokenizer().decode(ids, skip_special)
    }
}
