//! The error type of this crate.

use std::fmt;
use std::path::PathBuf;

/// Why a file was refused. `Display` writes one lower-case line that names the key or tensor, what was found and what
/// was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The file could not be opened or read.
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// The path names something that is not a regular file.
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What the path names instead, with its article.
        found: &'static str,
    },
    /// The given bytes end inside the header, but the file is longer: call again with at least `needed` bytes.
    NeedMore {
        /// Bytes, counted from the start of the file, that parsing needs to get further.
        needed: u64,
    },
    /// The first four bytes are not `GGUF`.
    Magic {
        /// The first four bytes.
        found: [u8; 4],
        /// What the file is, and what to do, if that is known.
        other: Option<&'static str>,
    },
    /// The version is neither 2 nor 3.
    Version {
        /// The version as read in little-endian order.
        found: u32,
    },
    /// The file ends inside its header.
    Truncated {
        /// Offset of the item that does not fit, in bytes.
        at: u64,
        /// What was being read.
        place: String,
    },
    /// A declared count or length is larger than the file or than a limit of this crate.
    TooLarge {
        /// What was being read.
        place: String,
        /// The declared number.
        found: u64,
        /// The largest number accepted here.
        limit: Limit,
    },
    /// A required metadata key is missing.
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata key or its value is malformed, of the wrong type or out of range.
    Key {
        /// The key, or its number in the file when its name could not be read.
        key: String,
        /// What the file says.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A required tensor is missing.
    MissingTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor's description is malformed, or does not fit the model.
    Tensor {
        /// The tensor's name, or its number in the file when its name could not be read.
        name: String,
        /// What the file says.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// A tensor's data ends after the file does.
    BeyondTheEnd {
        /// The tensor's name.
        name: String,
        /// Where its data ends, in bytes from the start of the tensor data.
        end: u128,
        /// How many bytes of tensor data the file has.
        data_bytes: u64,
    },
    /// The file is well formed, but not a model that this version runs.
    Unsupported {
        /// What the file is, what is supported, and what to do.
        reason: String,
    },
}

/// Where a [`Limit`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The rest of the file has room for at most this many.
    File(u64),
    /// This crate accepts at most this many.
    Fixed(u64),
}

/// What the reader is reading, for error messages. It is formatted only when an error is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A fixed field of the file's header.
    Field(&'static str),
    /// The name of metadata entry number n, from 0.
    KeyName(u64),
    /// The value of a metadata key.
    Key(&'a str),
    /// The name of tensor number n, from 0.
    TensorName(u64),
    /// The description of a tensor.
    Tensor(&'a str),
}

impl Error {
    /// An error for a metadata key whose value is not what was expected.
    pub fn key(
        key: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Error::Key {
            key: key.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    /// An error for a tensor that is not described as expected.
    pub fn tensor(
        name: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
    ) -> Self {
        Error::Tensor {
            name: name.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }

    pub(crate) fn too_large(place: Place<'_>, found: u64, limit: Limit) -> Self {
        Error::TooLarge { place: place.to_string(), found, limit }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, reason } => write!(f, "cannot read {}: {reason}", path.display()),
            Error::NotAFile { path, found } => {
                write!(f, "{} is {found}; give the path of a GGUF file", path.display())
            }
            Error::NeedMore { needed } => {
                write!(f, "the header is longer: at least {needed} bytes of the file are needed")
            }
            Error::Magic { found, other } => {
                write!(
                    f,
                    "not a GGUF file: it begins with \"{}\" instead of \"GGUF\"",
                    found.escape_ascii()
                )?;
                other.map_or(Ok(()), |other| write!(f, "; it is {other}"))
            }
            Error::Version { found } => write_version(f, *found),
            Error::Truncated { at, place } => {
                write!(f, "the file ends inside {place}, at byte {at}; is the download complete?")
            }
            Error::TooLarge { place, found, limit: Limit::File(limit) } => {
                write!(
                    f,
                    "{place}: the file says {found}, but at most {limit} fit in the rest of it; is the download complete?"
                )
            }
            Error::TooLarge { place, found, limit: Limit::Fixed(limit) } => {
                write!(f, "{place}: the file says {found}, but at most {limit} are accepted")
            }
            Error::MissingKey { key } => write!(f, "metadata key {key} is missing"),
            Error::Key { key, found, expected } => {
                write!(f, "metadata key {key}: found {found}, expected {expected}")
            }
            Error::MissingTensor { name } => write!(f, "tensor {name} is missing"),
            Error::Tensor { name, found, expected } => {
                write!(f, "tensor {name}: found {found}, expected {expected}")
            }
            Error::BeyondTheEnd { name, end, data_bytes } => write!(
                f,
                "tensor {name} ends at data byte {end}, but the file has only {data_bytes} bytes of data; is the \
                 download complete?"
            ),
            Error::Unsupported { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}

fn write_version(f: &mut fmt::Formatter<'_>, found: u32) -> fmt::Result {
    let swapped = found.swap_bytes();
    match found {
        1 => write!(f, "GGUF version 1 is too old; convert the model again to get version 3"),
        _ if found > 0xffff && swapped <= 0xffff => {
            write!(
                f,
                "a big-endian GGUF file (version {swapped}); only little-endian files are supported"
            )
        }
        _ => write!(f, "GGUF version {found}; versions 2 and 3 are supported"),
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Field(name) => f.write_str(name),
            Place::KeyName(n) => write!(f, "the name of metadata key number {n}"),
            Place::Key(key) => write!(f, "metadata key {}", printable(key)),
            Place::TensorName(n) => write!(f, "the name of tensor number {n}"),
            Place::Tensor(name) => write!(f, "tensor {}", printable(name)),
        }
    }
}

/// A name from a file, made printable on one line: control characters and those that change the direction of text are
/// escaped, and it is cut after 80 characters.
pub fn printable(name: &str) -> String {
    printable_to(name, 80)
}

/// The same for a text of some sentences.
pub fn printable_text(text: &str) -> String {
    printable_to(text, 1000)
}

fn printable_to(text: &str, length: usize) -> String {
    let mut out: String = text.chars().take(length).flat_map(printable_char).collect();
    if text.chars().nth(length).is_some() {
        out.push_str("...");
    }
    out
}

fn printable_char(c: char) -> impl Iterator<Item = char> {
    // Some terminals obey the latter, and rustc refuses them in the comments of generated code.
    let is_direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let escaped = (c.is_control() || is_direction).then(|| c.escape_default());
    let plain = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(plain)
}
