//! The error type of this crate.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why nothing could be generated. `Display` writes one line that says what is wrong and where.
#[derive(Debug)]
pub enum Error {
    /// The file is not a GGUF file, or not a model that this version runs.
    Gguf(monomorph_gguf::Error),
    /// An environment variable has a value that a build does not accept.
    Choice {
        /// The name of the variable.
        variable: &'static str,
        /// Its value.
        found: String,
        /// The values that are accepted.
        expected: &'static str,
    },
    /// The weights are too large to go inside a binary.
    TooLarge {
        /// Length of their image in bytes.
        n_bytes: u64,
        /// The most that a binary can hold, in bytes.
        most: u64,
    },
    /// The file of prompts could not be read, or is no such file.
    Prompts {
        /// The name of the variable that names it.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file could not be read.
    Read(PathBuf, io::Error),
    /// A generated file could not be written.
    Write(PathBuf, io::Error),
}

impl Error {
    /// Whether the message itself names the model file, which could not be read.
    pub fn names_model(&self) -> bool {
        use monomorph_gguf::Error::{Io, NotAFile};
        matches!(self, Error::Gguf(Io { .. } | NotAFile { .. }) | Error::Read(..))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Gguf(error) => error.fmt(f),
            Error::Choice { variable, found, expected } => {
                write!(f, "{variable} is {found:?}; expected {expected}")
            }
            Error::TooLarge { n_bytes, most } => write!(
                f,
                "its weights take {n_bytes} bytes inside a binary, which can hold at most {most}; build without \
                 MONOMORPH_EMBED to leave them in the file"
            ),
            Error::Prompts { variable, path, reason } => {
                write!(f, "{variable}={}: {reason}", path.display())
            }
            Error::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Error::Write(path, error) => write!(f, "cannot write {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

impl From<monomorph_gguf::Error> for Error {
    fn from(error: monomorph_gguf::Error) -> Self {
        Error::Gguf(error)
    }
}
