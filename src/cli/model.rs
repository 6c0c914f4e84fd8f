//! Which model file a command opens, and how.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{Embedder, Error, OpenOptions, built};

use super::failure::Failure;
use super::message;

/// The arguments for the model and its threads.
#[derive(Args, Debug)]
pub struct ModelArgs {
    /// GGUF file that this binary was built for [default: $MODEL_GGUF, else the weights inside, else the path given to
    /// the build]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Number of threads [default: one per physical core that the process may use]; the vectors do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl ModelArgs {
    /// Number of threads that was asked for.
    pub fn threads(&self) -> Option<usize> {
        self.threads.map(usize::from)
    }

    /// The file that will be opened; none where the weights are inside the binary.
    pub fn file(&self) -> Option<PathBuf> {
        path(self.model.as_deref())
    }

    /// Opens the model, with options added by `configure`.
    pub fn open(
        &self,
        configure: impl FnOnce(OpenOptions) -> OpenOptions,
    ) -> Result<Embedder, Failure> {
        let mut options = Embedder::options();
        if let Some(threads) = self.threads {
            options = options.threads(threads.into());
        }
        let options = configure(options);
        let embedder = match file(self.model.as_deref()) {
            Some(file) => options.open(&file.path).map_err(|error| file.failure(error))?,
            None => options.open_built().map_err(of_built)?,
        };
        note_default_model();
        Ok(embedder)
    }
}

/// A model file that the caller named.
#[derive(Debug)]
pub struct ModelFile {
    pub path: PathBuf,
    /// Whether MODEL_GGUF names it, which may have been set for a build.
    is_from_environment: bool,
}

impl ModelFile {
    /// The failure to use this file.
    pub fn failure(&self, error: Error) -> Failure {
        match error.into() {
            Failure::Failed(message) if self.is_from_environment => {
                Failure::Failed(format!("MODEL_GGUF: {message}"))
            }
            failure => failure,
        }
    }
}

/// The model file: the one given, else the environment's; none for the model of the build.
pub fn file(given: Option<&Path>) -> Option<ModelFile> {
    let given = given.map(|path| ModelFile { path: path.to_owned(), is_from_environment: false });
    given.or_else(|| {
        let path = env::var_os("MODEL_GGUF").filter(|path| !path.is_empty())?;
        Some(ModelFile { path: path.into(), is_from_environment: true })
    })
}

/// The file that will be opened: the one given, else the environment's, else the build's; none where the weights are
/// inside the binary.
pub fn path(given: Option<&Path>) -> Option<PathBuf> {
    let of_build = || (!built::IS_EMBEDDED).then(|| PathBuf::from(built::SOURCE));
    file(given).map(|file| file.path).or_else(of_build)
}

/// The failure to open the build's own path, which nobody gave to this command: if there is no file, says how to give
/// one.
pub fn of_built(error: Error) -> Failure {
    match &error {
        Error::Open { error: reason, .. } if reason.kind() == io::ErrorKind::NotFound => {
            Failure::Failed(format!("{error}; name the file with --model or MODEL_GGUF"))
        }
        _ => error.into(),
    }
}

/// Notes that nobody chose the model, if nobody did.
pub fn note_default_model() {
    if built::IS_DEFAULT_MODEL {
        message::note(
            "this binary has the default model, a small one for English. \
             To build with a larger one: MODEL_GGUF=embeddinggemma-300m-Q8_0.gguf cargo build --release",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_of_the_build_can_be_named() {
        let of = |kind: io::ErrorKind| {
            let error = Error::Open { path: "gone.gguf".into(), error: kind.into() };
            match of_built(error) {
                Failure::Failed(message) => message,
                other => panic!("{other:?}"),
            }
        };
        let hint = "; name the file with --model or MODEL_GGUF";
        assert!(of(io::ErrorKind::NotFound).ends_with(hint));
        assert!(!of(io::ErrorKind::PermissionDenied).ends_with(hint));
    }
}
