//! What the server needs of an engine: everything that depends on the model.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Turns texts into vectors. The server calls it from several threads, but [`Engine::embed`], [`Engine::embed_long`]
/// and [`Engine::token_rows`] from one only.
pub trait Engine: Send + Sync + 'static {
    /// What the model is, and what it runs on.
    fn facts(&self) -> &Facts;

    /// The prompt of that name.
    ///
    /// # Errors
    /// A sentence for the client that says which names there are.
    fn prompt(&self, name: &str) -> Result<Prompt, String>;

    /// The ids of a text after this prefix, marks included.
    ///
    /// # Errors
    /// If the text is longer than the context and must not be cut.
    fn encode(&self, text: &str, prefix: &str, truncate: Truncate) -> Result<Encoding, TooLong>;

    /// Embeds texts together: a row of [`Facts::dimensions`] values for each. A row must not depend on the company.
    ///
    /// # Errors
    /// Why no row is of use.
    fn embed(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError>;

    /// Does what [`Engine::embed`] does, in parts. Between two of them it asks `between`, on any thread, and calls it if
    /// it is wanted, upon which [`Engine::embed`] and [`Engine::token_rows`] may be called.
    ///
    /// # Errors
    /// Why no row is of use.
    fn embed_long(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        between: Between<'_>,
        rows: &mut [f32],
    ) -> Result<(), EngineError>;

    /// The rows of a text's tokens, [`Facts::n_embd`] values each: what its vector is made of.
    ///
    /// # Errors
    /// Why no row is of use.
    fn token_rows(
        &self,
        ids: &[u32],
        cancel: &AtomicBool,
        rows: &mut [f32],
    ) -> Result<(), EngineError>;

    /// A row as it is answered: cut, then scaled to length one if so asked. `None` where that is not finite.
    fn finish(&self, row: &[f32], dimensions: usize, normalize: bool) -> Option<Vec<f32>>;

    /// The cosine of two vectors.
    fn cosine(&self, a: &[f32], b: &[f32]) -> f32;

    /// The tokens of a text after this prefix, with or without marks; none if they are more than `most`.
    fn tokens(&self, text: &str, prefix: &str, marks: bool, most: usize) -> Option<Vec<Token>>;

    /// The text that ids stand for, with or without special pieces.
    fn decode(&self, ids: &[u32], skip_special: bool) -> String;
}

/// What is done between two parts of a long pass.
pub struct Between<'a> {
    /// Whether there is something to do.
    pub wanted: &'a (dyn Fn() -> bool + Sync),
    /// Does it.
    pub run: &'a mut dyn FnMut(),
}

/// What the model is, and what it runs on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The model's name, as it names itself.
    pub name: String,
    /// `general.architecture`.
    pub architecture: String,
    /// The format of its matrices.
    pub format: String,
    /// What tells its weights from any others.
    pub fingerprint: String,
    /// How tokens become one vector.
    pub pooling: String,
    /// Values of a full vector.
    pub dimensions: usize,
    /// Values of a token's row.
    pub n_embd: usize,
    /// The longest text, in tokens.
    pub n_ctx: usize,
    /// Number of pieces in the vocabulary.
    pub n_vocab: usize,
    /// The model's prompts.
    pub prompts: Vec<Prompt>,
    /// The instruction set in use.
    pub isa: String,
    /// The compilation of the kernels in use.
    pub path: String,
    /// Threads of a pass.
    pub threads: usize,
    /// Number of its parameters.
    pub parameters: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its licence, as the file states it.
    pub license: Option<String>,
    /// Private memory that holds weights, in bytes.
    pub kept_bytes: usize,
    /// Version of the program.
    pub version: String,
}

/// A prefix by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its principal name.
    pub name: String,
    /// What is put before a text.
    pub prefix: String,
}

/// What to do with a text that is longer than the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truncate {
    /// Keep its first tokens.
    #[default]
    End,
    /// Keep its last tokens.
    Start,
    /// Refuse it.
    None,
}

/// A text's ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The ids, marks included.
    pub ids: Vec<u32>,
    /// Number of tokens that were cut.
    pub dropped: usize,
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// What it stands for.
    pub text: String,
    /// Whether it is a mark, or another piece that stands for no text.
    pub special: bool,
    /// Its bytes in the text, prefix included; none for a mark, and where the tokenizer changed the text.
    pub span: Option<Range<usize>>,
}

/// A text is longer than the context, and must not be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// A sentence for the client, which does not quote the text.
    pub reason: String,
}

/// Why a pass failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// It was cancelled.
    Cancelled,
    /// Another pass may succeed.
    Failed(String),
    /// No pass can succeed any more, such as when the model's file was changed.
    Broken(String),
}
