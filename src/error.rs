//! The library's one error type.

use crate::built;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a model could not be opened or a text not embedded. `Display` is one line that says what, where and what to do.
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
    /// The file is not a GGUF file, or not one of a model that this version runs.
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: monomorph_gguf::Error,
    },
    /// A good file, but not the one this binary was built for.
    WrongModel {
        /// The file.
        path: PathBuf,
        /// The first differences, in words.
        differences: Vec<String>,
    },
    /// The file's content is not that of the build.
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The weights inside this executable are not those that the build put there.
    Damaged,
    /// The file was written to or cut after it was opened.
    Changed {
        /// The file.
        path: PathBuf,
        /// Its length when it was opened.
        opened_bytes: u64,
        /// Its length now.
        bytes: u64,
    },
    /// An instruction set was asked for that this CPU or this version does not have.
    Isa {
        /// Its name.
        name: String,
    },
    /// The system gave no threads.
    Threads(io::Error),
    /// The system gave no memory for the panels that [`OpenOptions::keep_panels`](crate::OpenOptions::keep_panels)
    /// keeps.
    Memory(io::Error),
    /// None of the model's prompts has this name.
    Prompt {
        /// The name as it was given.
        name: String,
        /// Every name of the model's prompts.
        known: Vec<&'static str>,
    },
    /// A prompt was asked for of a model that was trained without.
    NoPrompts {
        /// The model's name.
        model: String,
    },
    /// A vector of this many dimensions was asked for.
    Dimensions {
        /// As asked for.
        asked: usize,
        /// The model's own.
        largest: usize,
    },
    /// A text has more tokens than the window, and cutting it was forbidden.
    TooLong {
        /// The text's place in the request, from 0.
        text: usize,
        /// Its tokens.
        tokens: usize,
        /// Whether that is their exact number, or the least it can be.
        exact: bool,
        /// The window.
        n_ctx: usize,
    },
    /// A text's ids cannot be embedded.
    Ids {
        /// The text's place in the request, from 0.
        text: usize,
        /// What is wrong with them.
        reason: String,
    },
    /// A slice for rows, or a row, has another length than is needed.
    Rows {
        /// Its values.
        values: usize,
        /// As many as it needs: the model's dimensions for each text.
        expected: usize,
    },
    /// A text's vector holds NaN or infinity, or is zero: the weights are damaged.
    NotFinite {
        /// The text's place in the request, from 0.
        text: usize,
    },
    /// The caller's flag was set.
    Cancelled,
    /// A thread panicked: a fault of this library. The embedder can still be used.
    Panicked,
}

impl Error {
    /// The text that caused the error, as its place in the request from 0.
    pub fn text(&self) -> Option<usize> {
        match self {
            Error::TooLong { text, .. } | Error::Ids { text, .. } | Error::NotFinite { text } => {
                Some(*text)
            }
            _ => None,
        }
    }

    /// What went wrong, without the place of the text.
    pub fn reason(&self) -> String {
        match self {
            Error::TooLong { tokens, exact, n_ctx, .. } => {
                let at_least = if *exact { "" } else { "at least " };
                format!(
                    "{at_least}{tokens} tokens, more than the window of {n_ctx}; shorten it, or let it be cut with \
                     truncate end"
                )
            }
            Error::Ids { reason, .. } => reason.clone(),
            Error::NotFinite { .. } => {
                "its vector is not finite: the model file is damaged; fetch it again".to_owned()
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
            Error::WrongModel { path, differences } => {
                // A build takes relative paths from the root of its package.
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
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
            Error::Content { path } => write!(
                f,
                "{}: its content differs from that of the file this binary was built from; fetch it again or rebuild",
                path.display()
            ),
            Error::Damaged => f.write_str(
                "the weights inside this binary are not those of its build: it was damaged; copy or build it again",
            ),
            Error::Changed { path, opened_bytes, bytes } => {
                let how = if bytes == opened_bytes {
                    "was written to".to_owned()
                } else {
                    format!("went from {opened_bytes} to {bytes} bytes")
                };
                write!(
                    f,
                    "{} {how} after it was opened; open it again, and replace a model file by renaming another over it",
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
                    "no memory to keep repacked weights in: {error}; open the model without keeping them"
                )
            }
            Error::Prompt { name, known } => {
                write!(f, "unknown prompt {name:?}; known: {}", known.join(", "))
            }
            Error::NoPrompts { model } => write!(
                f,
                "{model} was not trained with prompts; use a prefix to prepend your own text"
            ),
            Error::Dimensions { asked, largest } => {
                write!(f, "{asked} dimensions were asked for; the model has 1 to {largest}")
            }
            Error::Rows { values, expected } => {
                write!(f, "{values} values for rows, where {expected} are needed")
            }
            Error::TooLong { text, .. } | Error::Ids { text, .. } | Error::NotFinite { text } => {
                write!(f, "text {}: {}", text + 1, self.reason())
            }
            Error::Cancelled => f.write_str("cancelled"),
            Error::Panicked => f.write_str(
                "a thread panicked, see the message above; this is a fault of monomorph",
            ),
        }
    }
}

impl std::error::Error for Error {}

/// A word as a shell reads it back.
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
