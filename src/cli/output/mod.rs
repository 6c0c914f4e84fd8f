//! Output of vectors: one file per format, and the destinations.

#[cfg(feature = "parquet")]
mod columns;
mod csv;
mod destination;
mod format;
mod json;
mod jsonl;
#[cfg(feature = "parquet")]
mod large;
mod npy;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;
mod same;

use std::fs::Permissions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{Precision, Quantizer, Values};

use super::choice::some_of;
use super::failure::Failure;
use super::records::{Id, Row};
use super::streams::stdout;

pub use destination::{Destination, names_descriptor, resolve};
pub use format::{VectorFormat, Writing};
pub use npy::Npy;
#[cfg(feature = "parquet")]
pub use parquet::Parquet;
pub use same::must_be_none_of;

/// The arguments for the format and the destination.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Format of the vectors [default: by --output's extension, else jsonl]
    #[arg(long, short, value_name = "FORMAT")]
    #[arg(value_parser = some_of(|format: &VectorFormat| format.supports(Writing::Texts)))]
    format: Option<VectorFormat>,

    /// Write to FILE instead of standard output; FILE is replaced only once everything has been written
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// One text's result.
pub struct Record<'a> {
    /// Position in the whole input, from 0.
    pub index: u64,
    pub id: Option<&'a Id>,
    /// The other columns of the input, for formats that keep them.
    pub row: Row,
    pub tokens: usize,
    /// Tokens that were cut off, and whether that is their exact number or a lower bound.
    pub dropped: usize,
    pub dropped_is_exact: bool,
    /// In float32, before it is quantized.
    pub vector: &'a [f32],
}

/// What is known before the first record, and counts of what has been written.
#[derive(Clone, Debug)]
pub struct Summary {
    pub model: &'static str,
    pub precision: Precision,
    /// Dimensions of the vectors, after they were cut. Only tables of Arrow and Parquet say them.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub dimensions: usize,
    /// Values in each vector as it is stored.
    pub values: usize,
    pub texts: usize,
    pub tokens: usize,
}

impl Summary {
    pub fn new(model: &'static str, precision: Precision, dimensions: usize) -> Summary {
        let values = precision.len(dimensions);
        Summary { model, precision, dimensions, values, texts: 0, tokens: 0 }
    }
}

/// A format. The calls come in this order: `begin` or `resume`, a `record` for each text, `end`.
pub trait FormatWriter: Send {
    fn begin(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()>;
    /// `values` are the record's vector in the precision of the output.
    fn record(
        &mut self,
        out: &mut Destination,
        record: Record<'_>,
        values: &Values,
    ) -> io::Result<()>;
    fn end(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()>;

    /// Writes all records so far, and returns the state from which another writer can resume.
    fn checkpoint(&mut self, _: &mut Destination) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Resumes from the state of a checkpoint.
    fn resume(&mut self, _checkpoint: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// An open output. Dropped before [`Output::finish`], it leaves an existing file as it was.
pub struct Output {
    writer: Box<dyn FormatWriter>,
    destination: Destination,
    quantizer: Quantizer,
    summary: Summary,
}

impl OutputArgs {
    /// The file that was named.
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// Opens the output and writes what comes before the first vector.
    pub fn open(
        &self,
        model: &'static str,
        quantizer: Quantizer,
        dimensions: usize,
    ) -> Result<Output, Failure> {
        let by_name = || self.output.as_deref().and_then(VectorFormat::of);
        if let (None, Some(path)) = (self.format, &self.output) {
            format::must_be_written(path)?;
        }
        let format = self.format.or_else(by_name).unwrap_or(VectorFormat::Jsonl);
        let Some(writer) = format.writer() else {
            let path = self.output.as_deref().unwrap_or(Path::new("-"));
            return Err(Failure::Usage(format!(
                "--output {}: embed writes no Parquet; monomorph batch does",
                path.display()
            )));
        };
        let destination = match &self.output {
            Some(path) if !names_stdout(path) => Destination::file(path)?,
            _ => Destination::stdout(),
        };
        let summary = Summary::new(model, quantizer.precision(), dimensions);
        if format.is_binary() && destination.is_terminal() {
            return Err(binary_on_terminal());
        }
        Output::begin(writer, destination, quantizer, summary)
    }
}

/// Prints a command's whole output.
pub fn print(answer: &[u8]) -> Result<(), Failure> {
    let mut out = stdout();
    out.write_all(answer)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::writing("standard output", &error))
}

/// The error of binary output to a terminal.
pub fn binary_on_terminal() -> Failure {
    Failure::Usage("this format is binary: give --output FILE, or redirect standard output".into())
}

impl Output {
    /// Writes what comes before the first vector.
    pub fn begin(
        mut writer: Box<dyn FormatWriter>,
        mut destination: Destination,
        quantizer: Quantizer,
        summary: Summary,
    ) -> Result<Output, Failure> {
        writer.begin(&mut destination, &summary).map_err(|error| destination.failure(&error))?;
        Ok(Output { writer, destination, quantizer, summary })
    }

    /// Resumes after the last checkpoint; `summary` counts what had been written then.
    pub fn resume(
        mut writer: Box<dyn FormatWriter>,
        destination: Destination,
        quantizer: Quantizer,
        summary: Summary,
        checkpoint: &[u8],
    ) -> Result<Output, Failure> {
        writer.resume(checkpoint).map_err(|error| destination.failure(&error))?;
        Ok(Output { writer, destination, quantizer, summary })
    }

    /// Writes one vector.
    pub fn write(&mut self, record: Record<'_>) -> Result<(), Failure> {
        self.summary.texts += 1;
        self.summary.tokens += record.tokens;
        let values = self.quantizer.quantize(record.vector);
        self.writer
            .record(&mut self.destination, record, &values)
            .map_err(|error| self.destination.failure(&error))
    }

    /// Flushes to a reader that may be waiting.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.destination.flush_to_reader().map_err(|error| self.destination.failure(&error))
    }

    /// Syncs everything so far; returns its length in bytes and the state for [`Output::resume`].
    pub fn checkpoint(&mut self) -> Result<(u64, Vec<u8>), Failure> {
        let checkpoint = self
            .writer
            .checkpoint(&mut self.destination)
            .and_then(|state| Ok((self.destination.sync()?, state)));
        checkpoint.map_err(|error| self.destination.failure(&error))
    }

    /// Who may read what is being written.
    pub fn permissions(&self) -> Result<Permissions, Failure> {
        self.destination.permissions().map_err(|error| self.destination.failure(&error))
    }

    /// Counts of what has been written.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Writes what follows the last vector, and gives the file its name.
    pub fn finish(mut self) -> Result<Summary, Failure> {
        self.writer
            .end(&mut self.destination, &self.summary)
            .map_err(|error| self.destination.failure(&error))?;
        self.destination.finish()?;
        Ok(self.summary)
    }
}

/// Whether the path names standard output. If that is redirected to a file, the file is appended to like any standard
/// output, not replaced.
pub fn names_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}
