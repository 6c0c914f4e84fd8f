//! Which model file a command opens, and how.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{Embedder, OpenOptions, built};

use super::failure::Failure;
use super::message;

/// The arguments that say which model runs, and on how many threads.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// The GGUF file this binary was built for [default: $MODEL_GGUF, else the model inside, else the path the build
    /// was given]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Threads to compute with [default: all cores]; the vectors do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl ModelArgs {
    /// Opens the model; `configure` adds options of the command's own.
    pub fn open(
        &self,
        configure: impl FnOnce(OpenOptions) -> OpenOptions,
    ) -> Result<Embedder, Failure> {
        let mut options = Embedder::options();
        if let Some(threads) = self.threads {
            options = options.threads(threads.into());
        }
        let options = configure(options);
        let embedder = match path(self.model.as_deref()) {
            Some(path) => options.open(path)?,
            None => options.open_built()?,
        };
        note_default_model();
        Ok(embedder)
    }
}

/// The model file: as given, else as the environment says; none for the model of the build.
pub fn path(given: Option<&Path>) -> Option<PathBuf> {
    let from_environment =
        || env::var_os("MODEL_GGUF").filter(|path| !path.is_empty()).map(PathBuf::from);
    given.map(PathBuf::from).or_else(from_environment)
}

/// Says that the built-in model is a toy, where it is.
pub fn note_default_model() {
    if built::IS_DEFAULT_MODEL {
        message::note(
            "this binary was built without a model; the tiny one inside gives vectors that mean nothing. \
             For real ones: MODEL_GGUF=embeddinggemma-300m-Q8_0.gguf cargo build --release",
        );
    }
}
