//! Vectors on their way out: one format a file here, and the place they go to.

#[cfg(feature = "parquet")]
mod columns;
mod csv;
mod destination;
mod format;
mod json;
mod jsonl;
mod npy;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{Precision, Quantizer, Values};

use super::choice::some_of;
use super::failure::Failure;
use super::records::{Id, Row};

pub use destination::{Destination, resolve};
pub use format::{VectorFormat, Writing};
pub use npy::Npy;
#[cfg(feature = "parquet")]
pub use parquet::Parquet;

/// The arguments that say how vectors are written, and where.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Format of the vectors [default: what --output's extension says, else jsonl]
    #[arg(long, short, value_name = "FORMAT")]
    #[arg(value_parser = some_of(|format: &VectorFormat| format.supports(Writing::Texts)))]
    format: Option<VectorFormat>,

    /// Write to FILE instead of standard output; FILE is replaced only when everything has been written
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
    /// Tokens cut off at the end, and whether that is their exact number or the least there were.
    pub dropped: usize,
    pub dropped_is_exact: bool,
    /// As the model gives it.
    pub vector: &'a [f32],
}

/// What is known before the first record, and what has been written so far.
#[derive(Clone, Debug)]
pub struct Summary {
    pub model: &'static str,
    pub precision: Precision,
    /// Of the model's vectors, as they were cut.
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

    /// Writes all records so far, so that another writer can go on after them. It is given what this returns.
    fn checkpoint(&mut self, _: &mut Destination) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Goes on where a checkpoint was made.
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
    /// Opens the output and writes what comes before the first vector.
    pub fn open(
        &self,
        model: &'static str,
        quantizer: Quantizer,
        dimensions: usize,
    ) -> Result<Output, Failure> {
        let by_name = || self.output.as_deref().and_then(VectorFormat::of);
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

/// Prints a command's whole answer.
pub fn print(answer: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(answer)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::writing("standard output", &error))
}

/// What a person gets who would see bytes.
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

    /// Goes on after the last checkpoint; `summary` counts what had been written then.
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

    /// Hands what has been written to a waiting reader.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.destination.flush_to_reader().map_err(|error| self.destination.failure(&error))
    }

    /// Makes everything so far safe from a crash: the bytes of it, and what [`Output::resume`] needs.
    pub fn checkpoint(&mut self) -> Result<(u64, Vec<u8>), Failure> {
        let checkpoint = self
            .writer
            .checkpoint(&mut self.destination)
            .and_then(|state| Ok((self.destination.sync()?, state)));
        checkpoint.map_err(|error| self.destination.failure(&error))
    }

    /// What has been written.
    pub fn summary(&self) -> &Summary {
        &self.summary
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
pub fn names_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}
