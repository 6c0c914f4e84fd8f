//! Where texts come from: the command line, a file or standard input, in chunks that bound memory.

mod jsonl;
mod lines;
mod stream;

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::vec;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use stream::Stream;

pub use jsonl::parse as parse_json;
pub use lines::{Fault, Lines, utf16_hint};

/// Texts of one call into the library: many enough to share the repacking of the weights, few enough
/// that input of any length needs little memory.
const CHUNK_TEXTS: usize = 512;
const CHUNK_BYTES: usize = 256 << 10;

/// The arguments that say where the texts are.
#[derive(Args, Debug)]
pub struct InputArgs {
    /// Texts, each an argument; without any, and without --input, standard input is read
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,

    /// Read texts from FILE, or from standard input if it is `-`: one a line, every line a text, empty ones too
    #[arg(long, short, value_name = "FILE")]
    input: Option<PathBuf>,

    /// How --input is written [default: jsonl for *.jsonl and *.ndjson, else lines]
    #[arg(long, value_name = "FORMAT")]
    input_format: Option<InputFormat>,
}

/// How a stream holds its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// One text a line; an empty line is an empty text
    Lines,
    /// One JSON object a line: {"text": "...", "id": "..."}, the id a string or an integer and optional
    Jsonl,
}

/// One text and what it is called.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Text {
    pub text: String,
    #[serde(default)]
    pub id: Option<Id>,
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// A text's name, given in the input and repeated in the output.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(untagged, expecting = "id must be a string or an integer")]
pub enum Id {
    String(String),
    Unsigned(u64),
    Signed(i64),
}

impl fmt::Display for Id {
    /// As JSON writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::String(id) => f.write_str(&serde_json::Value::from(id.as_str()).to_string()),
            Id::Unsigned(id) => id.fmt(f),
            Id::Signed(id) => id.fmt(f),
        }
    }
}

impl InputArgs {
    /// Opens what the arguments name.
    pub fn open(self) -> Result<Source, Failure> {
        match self.input {
            Some(path) => Source::open(&path, self.input_format),
            None if !self.texts.is_empty() => Ok(Source::arguments(self.texts)),
            None if io::stdin().is_terminal() => Err(Failure::Usage(
                "no text: give TEXT, --input FILE, or text on standard input".into(),
            )),
            None => Source::open(Path::new("-"), self.input_format),
        }
    }
}

/// Texts that are read as they are asked for.
pub enum Source {
    Arguments(vec::IntoIter<String>),
    Stream(Stream),
}

impl Source {
    pub fn arguments(texts: Vec<String>) -> Source {
        Source::Arguments(texts.into_iter())
    }

    /// Opens a file, or standard input if the path is `-`.
    pub fn open(path: &Path, format: Option<InputFormat>) -> Result<Source, Failure> {
        let (reader, name) = open(path)?;
        let format = format.unwrap_or_else(|| InputFormat::of(path));
        Ok(Source::Stream(Stream::new(reader, name, format)))
    }

    /// Replaces the contents of `chunk` by the next texts; none are left once it stays empty.
    pub fn next_chunk(&mut self, chunk: &mut Vec<Text>) -> Result<(), Failure> {
        chunk.clear();
        match self {
            Source::Arguments(texts) => {
                chunk.extend(texts.by_ref().take(CHUNK_TEXTS).map(|text| Text { text, id: None }));
                Ok(())
            }
            Source::Stream(stream) => stream.next_chunk(chunk),
        }
    }

    /// All texts that are left.
    pub fn read_all(mut self) -> Result<Vec<Text>, Failure> {
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        loop {
            self.next_chunk(&mut chunk)?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.append(&mut chunk);
        }
    }
}

/// Opens a file, or standard input if the path is `-`, and says what messages call it.
pub fn open(path: &Path) -> Result<(Box<dyn Read + Send>, String), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), "standard input".to_owned()));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::reading(&name, &error))?;
    Ok((Box::new(file), name))
}

impl InputFormat {
    fn of(path: &Path) -> InputFormat {
        let extension =
            path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if ["jsonl", "ndjson"].iter().any(|jsonl| extension.eq_ignore_ascii_case(jsonl)) {
            InputFormat::Jsonl
        } else {
            InputFormat::Lines
        }
    }
}
