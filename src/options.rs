//! Options for opening a model and for embedding texts.

use crate::choice::choice;
use crate::unicode::Unicode;
use monomorph_spec::Prompt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Which compilation of the kernels runs. Both give the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// With the model's dimensions as constants.
    #[default]
    Specialized,
    /// With dimensions read at run time, to compare.
    Generic,
}

/// What to do with texts that are longer than the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Truncate {
    /// Keep the first tokens; [`Embedding::dropped`](crate::Embedding::dropped) counts the others.
    #[default]
    End,
    /// Keep the last tokens. The model's begin and end tokens are kept, a prompt is not.
    Start,
    /// Fail with [`Error::TooLong`](crate::Error::TooLong).
    None,
}

choice! { Kernels, "kernels",
    Specialized "specialized" "The model's dimensions are compiled in"
    Generic "generic" "The dimensions are read at run time"
}

choice! { Truncate, "truncation",
    End "end" "Cut the end, with a warning"
    Start "start" "Cut the start, prompt included, with a warning"
    None "none" "Fail, naming the text"
}

/// How to open the model.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    pub(crate) threads: Option<usize>,
    pub(crate) keep_panels: bool,
    pub(crate) kernels: Kernels,
    pub(crate) isa: Option<String>,
}

impl OpenOptions {
    /// Threads of a request; the default is the cores that the process may use.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Repack the matrices of block formats once and keep them in private memory
    /// ([`Memory::kept_panels`](crate::Memory::kept_panels)): faster for short texts in a resident process. Float
    /// matrices stay in the file. Weights inside the binary are repacked already: they need no private memory, and
    /// nothing is done.
    pub fn keep_panels(mut self, keep: bool) -> Self {
        self.keep_panels = keep;
        self
    }

    /// Which compilation of the kernels runs.
    pub fn kernels(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// An instruction set by name (`scalar`, `avx2`, `neon-dot`, ...); the default is the environment's `MONOMORPH_ISA`, then
    /// the best one of this CPU.
    pub fn isa(mut self, name: impl Into<String>) -> Self {
        self.isa = Some(name.into());
        self
    }
}

/// How to embed.
#[derive(Clone, Debug)]
pub struct EmbedOptions {
    /// A prompt to prepend to each text, see [`Embedder::prompt`](crate::Embedder::prompt).
    pub prompt: Option<Prompt>,
    /// Text to insert before each text, after the prompt.
    pub prefix: Option<String>,
    /// Keep only the first so many values of each vector. Models trained for it (Matryoshka) lose little.
    pub dimensions: Option<usize>,
    /// Scale vectors to length one.
    pub normalize: bool,
    /// What to do with long texts.
    pub truncate: Truncate,
    /// The Unicode normalisation form to bring texts to first.
    pub unicode: Unicode,
    /// Setting this flag ends the request with [`Error::Cancelled`](crate::Error::Cancelled).
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for EmbedOptions {
    fn default() -> Self {
        EmbedOptions {
            prompt: None,
            prefix: None,
            dimensions: None,
            normalize: true,
            truncate: Truncate::default(),
            unicode: Unicode::default(),
            cancel: None,
        }
    }
}
