//! The library's one error type.

use crate::built;
use monomorph_quant::packed::Unfit;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What stands for a path in errors about [bytes](crate::OpenOptions::open_bytes).
pub(crate) const GIVEN_BYTES: &str = "the given bytes";

/// Why a model could not be opened or a text could not be embedded. `Display` is one line that says what failed, where,
/// and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The model file could not be opened or mapped.
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The file is not a GGUF file, or its model is not one that this version runs.
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: monomorph_gguf::Error,
    },
    /// A valid file, but not the one this binary was built for.
    WrongModel {
        /// The file.
        path: PathBuf,
        /// Descriptions of the first differences.
        differences: Vec<String>,
    },
    /// A file that `monomorph pack` wrote does not fit this binary.
    Packed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Unfit,
    },
    /// The weights to pack are panels, which cannot be turned back into the blocks that were asked for.
    Panels,
    /// The packed weights could not be written.
    Write(io::Error),
    /// The file's content differs from that of the build's file.
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The weights inside this executable differ from those that the build put there.
    Damaged,
    /// The file was modified or truncated after it was opened.
    Changed {
        /// The file.
        path: PathBuf,
        /// Its length when it was opened.
        opened_bytes: u64,
        /// Its length now.
        bytes: u64,
    },
    /// The requested instruction set is not available on this CPU or in this version.
    Isa {
        /// Its name.
        name: String,
    },
    /// The system could not start threads.
    Threads(io::Error),
    /// The system had no memory for the panels that [`OpenOptions::keep_panels`](crate::OpenOptions::keep_panels)
    /// keeps.
    Memory(io::Error),
    /// None of the model's prompts has this name.
    Prompt {
        /// The name as it was given.
        name: String,
        /// Every name of the model's prompts.
        known: Vec<&'static str>,
    },
    /// A prompt was requested, but none are known for the model.
    NoPrompts {
        /// The model's name.
        model: String,
    },
    /// The requested number of dimensions is 0 or more than the model has.
    Dimensions {
        /// The requested number.
        asked: usize,
        /// The model's number.
        largest: usize,
    },
    /// A text has more tokens than the context holds, and the options forbid cutting it.
    TooLong {
        /// Index of the text in the request, from 0.
        text: usize,
        /// Number of its tokens.
        tokens: usize,
        /// Whether that is exact, or a lower bound.
        exact: bool,
        /// The context, in tokens.
        n_ctx: usize,
    },
    /// A text's ids cannot be embedded.
    Ids {
        /// Index of the text in the request, from 0.
        text: usize,
        /// What is wrong with the ids.
        reason: String,
    },
    /// A slice of rows, or a row, has the wrong length.
    Rows {
        /// Number of its values.
        values: usize,
        /// The number it must have: the model's dimensions for each text.
        expected: usize,
    },
    /// A text's vector holds NaN or infinity, or is zero: the weights are damaged.
    NotFinite {
        /// Index of the text in the request, from 0.
        text: usize,
    },
    /// The caller's cancel flag was set.
    Cancelled,
    /// A thread panicked: a bug in this library. The embedder can still be used.
    Panicked,
}

impl Error {
    /// Index of the text that caused the error, from 0.
    pub fn text(&self) -> Option<usize> {
        match self {
            Error::TooLong { text, .. } | Error::Ids { text, .. } | Error::NotFinite { text } => {
                Some(*text)
            }
            _ => None,
        }
    }

    /// What went wrong, without naming the text.
    pub fn reason(&self) -> String {
        match self {
            Error::TooLong { tokens, exact, n_ctx, .. } => {
                let at_least = if *exact { "" } else { "at least " };
                format!(
                    "{at_least}{tokens} tokens, more than the context of {n_ctx}; shorten the text, or allow it to \
                     be cut (truncate end or start)"
                )
            }
            Error::Ids { reason, .. } => reason.clone(),
            Error::NotFinite { .. } => {
                "its vector is zero or not finite: the weights are damaged; fetch the model file or build the binary \
                 again"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Open { path, error } => {
                write!(f, "cannot open model {}: {error}", path.display())
            }
            Error::Gguf { path, error } => write!(f, "{}: {error}", path.display()),
            Error::WrongModel { path, differences } => wrong_model(f, path, differences),
            Error::Packed { path, reason } => write!(f, "{}: {reason}", path.display()),
            Error::Panels => f.write_str(
                "these weights are stored as panels and cannot be turned back into blocks; give the GGUF file with --model",
            ),
            Error::Write(error) => write!(f, "cannot write the packed weights: {error}"),
            Error::Content { path } => write!(
                f,
                "{}: its content differs from that of the file this binary was built from; fetch it again or rebuild",
                path.display()
            ),
            Error::Damaged => f.write_str(
                "the weights inside this binary differ from those of its build: the binary is damaged; copy or build it again",
            ),
            Error::Changed { path, opened_bytes, bytes } => {
                let how = if bytes == opened_bytes {
                    "was modified".to_owned()
                } else {
                    format!("changed from {opened_bytes} to {bytes} bytes")
                };
                write!(
                    f,
                    "{} {how} after it was opened; open it again, and replace model files only by renaming",
                    path.display()
                )
            }
            Error::Isa { name } => write!(
                f,
                "instruction set {name:?} is not available here; choose one of {}",
                monomorph_simd::available().join(", ")
            ),
            Error::Threads(error) => write!(f, "cannot start threads: {error}"),
            Error::Memory(error) => {
                write!(
                    f,
                    "not enough memory to keep repacked weights: {error}; open the model without keeping them"
                )
            }
            Error::Prompt { name, known } => {
                write!(f, "unknown prompt {name:?}; known: {}", known.join(", "))
            }
            Error::NoPrompts { model } => write!(
                f,
                "no prompts are known for {model}; use a prefix to prepend your own text, or build with \
                 MONOMORPH_PROMPTS=config_sentence_transformers.json"
            ),
            Error::Dimensions { asked, largest } => {
                write!(f, "{asked} dimensions requested, but this model has 1 to {largest}")
            }
            Error::Rows { values, expected } => {
                write!(f, "{values} values for rows, but {expected} are expected")
            }
            Error::TooLong { text, .. } | Error::Ids { text, .. } | Error::NotFinite { text } => {
                write!(f, "text {}: {}", text + 1, self.reason())
            }
            Error::Cancelled => f.write_str("cancelled"),
            Error::Panicked => f.write_str(
                "a thread panicked, see the message above; this is a bug in monomorph",
            ),
        }
    }
}

impl std::error::Error for Error {}

fn wrong_model(f: &mut fmt::Formatter<'_>, path: &Path, differences: &[String]) -> fmt::Result {
    if path == Path::new(GIVEN_BYTES) {
        let differences = differences.join("; ");
        return write!(
            f,
            "{GIVEN_BYTES} are not those of the file this program was built for ({differences})"
        );
    }
    // A build takes relative paths from the root of its package.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    write!(
        f,
        "{} is not the file this binary was built for ({}); build one for it: {}MODEL_GGUF={} \
         cargo build --release",
        path.display(),
        differences.join("; "),
        if built::IS_EMBEDDED { "MONOMORPH_EMBED=1 " } else { "" },
        shell_word(&absolute.to_string_lossy()),
    )
}

/// A word, quoted for a shell if necessary.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn shell_words_are_quoted_where_needed() {
        assert_eq!(shell_word("a/b-1.gguf"), "a/b-1.gguf");
        assert_eq!(shell_word("my model.gguf"), "'my model.gguf'");
        assert_eq!(shell_word("it's"), r"'it'\''s'");
    }
}
