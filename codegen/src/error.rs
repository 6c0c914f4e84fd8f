//! Why nothing could be generated.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One line that says what and where.
#[derive(Debug)]
pub enum Error {
    /// The file is not a GGUF file, or not a model that this version runs.
    Gguf(monomorph_gguf::Error),
    /// A variable of the environment states no choice that a build has.
    Choice {
        /// Its name.
        variable: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The weights are too large to go inside a binary.
    TooLarge {
        /// Length of their image in bytes.
        n_bytes: u64,
        /// The most that go inside.
        most: u64,
    },
    /// The file could not be read.
    Read(PathBuf, io::Error),
    /// A generated file could not be written.
    Write(PathBuf, io::Error),
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
                "its weights take {n_bytes} bytes inside a binary, which holds {most} at most; leave them in the file: \
                 build without MONOMORPH_EMBED"
            ),
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
