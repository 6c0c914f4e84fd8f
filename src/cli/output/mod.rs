//! Vectors on their way out: one format a file here, and the place they go to.

mod csv;
mod destination;
mod json;
mod jsonl;
mod npy;
mod raw;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::failure::Failure;
use super::input::Id;
use destination::Destination;

/// The arguments that say how vectors are written, and where.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Format of the vectors [default: what --output's extension says, else jsonl]
    #[arg(long, short, value_name = "FORMAT")]
    format: Option<Format>,

    /// Write to FILE instead of standard output; FILE is replaced only when everything has been written
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object: the list that OpenAI's embeddings endpoint answers
    Json,
    /// One JSON object a line: {"id", "tokens", "dropped", "embedding"}; id and dropped only where there are any
    Jsonl,
    /// A header line, then a line a text: the id (or the position, from 0) and the values
    Csv,
    /// As csv, with tabs
    Tsv,
    /// NumPy array of little-endian float32, shape (texts, dimensions); the ids are not kept
    Npy,
    /// The same values without a header
    Raw,
}

/// One text's result.
pub struct Record<'a> {
    /// Position in the whole input, from 0.
    pub index: usize,
    pub id: Option<&'a Id>,
    pub tokens: usize,
    /// Tokens cut off at the end, and whether that is their exact number or the least there were.
    pub dropped: usize,
    pub dropped_is_exact: bool,
    pub vector: &'a [f32],
}

/// What is known before the first record, and what has been written so far.
#[derive(Clone, Debug)]
pub struct Summary {
    pub model: &'static str,
    /// Values in each vector.
    pub dimensions: usize,
    pub texts: usize,
    pub tokens: usize,
}

/// A format. The calls come in this order: `begin`, a `record` for each text, `end`.
trait FormatWriter {
    fn begin(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()>;
    fn record(&mut self, out: &mut Destination, record: &Record<'_>) -> io::Result<()>;
    fn end(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()>;
}

/// An open output. Dropped before [`Output::finish`], it leaves an existing file as it was.
pub struct Output {
    writer: Box<dyn FormatWriter>,
    destination: Destination,
    summary: Summary,
}

impl OutputArgs {
    /// Opens the output and writes what comes before the first vector.
    pub fn open(&self, model: &'static str, dimensions: usize) -> Result<Output, Failure> {
        let format = self.format.unwrap_or_else(|| Format::of(self.output.as_deref()));
        let mut destination = match &self.output {
            Some(path) if !names_stdout(path) => Destination::file(path)?,
            _ => Destination::stdout(),
        };
        if format.is_binary() && destination.is_terminal() {
            return Err(Failure::Usage(
                "npy and raw are binary: give --output FILE, or redirect standard output".into(),
            ));
        }
        let mut writer = format.writer();
        let summary = Summary { model, dimensions, texts: 0, tokens: 0 };
        writer.begin(&mut destination, &summary).map_err(|error| destination.failure(&error))?;
        Ok(Output { writer, destination, summary })
    }
}

impl Output {
    /// Writes one vector.
    pub fn write(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        self.summary.texts += 1;
        self.summary.tokens += record.tokens;
        self.writer
            .record(&mut self.destination, record)
            .map_err(|error| self.destination.failure(&error))
    }

    /// Hands what has been written to a waiting reader.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.destination.flush_to_reader().map_err(|error| self.destination.failure(&error))
    }

    /// Writes what comes after the last vector, and puts the file in its place.
    pub fn finish(mut self) -> Result<Summary, Failure> {
        self.writer
            .end(&mut self.destination, &self.summary)
            .map_err(|error| self.destination.failure(&error))?;
        self.destination.finish()?;
        Ok(self.summary)
    }
}

/// The names of standard output. Where that is a file, it is written to as any other standard output: what it holds
/// already is not ours to replace.
fn names_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

impl Format {
    fn of(output: Option<&Path>) -> Format {
        let extension = output.and_then(Path::extension).and_then(|extension| extension.to_str());
        extension
            .and_then(|extension| Format::from_str(extension, true).ok())
            .unwrap_or(Format::Jsonl)
    }

    fn is_binary(self) -> bool {
        matches!(self, Format::Npy | Format::Raw)
    }

    fn writer(self) -> Box<dyn FormatWriter> {
        match self {
            Format::Json => Box::new(json::Json),
            Format::Jsonl => Box::new(jsonl::Jsonl),
            Format::Csv => Box::new(csv::Csv { delimiter: b',' }),
            Format::Tsv => Box::new(csv::Csv { delimiter: b'\t' }),
            Format::Npy => Box::new(npy::Npy::default()),
            Format::Raw => Box::new(raw::Raw),
        }
    }
}
