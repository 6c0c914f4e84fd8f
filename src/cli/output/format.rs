//! The formats that vectors are written in.

use std::path::Path;

use clap::ValueEnum;

use super::FormatWriter;
use super::csv::Csv;
use super::json::Json;
use super::jsonl::Jsonl;
use super::npy::Npy;
use super::raw::Raw;
use crate::cli::failure::Failure;

/// The formats of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VectorFormat {
    /// One JSON object: the list that OpenAI's embeddings endpoint returns
    Json,
    /// One JSON object per line: {"id", "tokens", "dropped", "embedding"}; id and dropped only if present, and
    /// "dropped_is_exact": false where more may have been dropped; of chunks, also what Parquet's columns have
    Jsonl,
    /// A header line, then one line per text: the id (or the position in the input, from 0) and the values
    Csv,
    /// As csv, but separated by tabs
    Tsv,
    /// NumPy array of the precision's type, shape (texts, dimensions); the ids are not kept
    Npy,
    /// The same values, little-endian, without a header
    Raw,
    /// The input's columns and a column of vectors (fixed-size lists); the model is named in the key-value metadata
    Parquet,
}

/// The kind of input that vectors are made from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// `embed`: texts that have no other columns.
    Texts,
    /// `batch`: a table, and perhaps not all of it in one run.
    Table,
}

/// Extensions of formats that are not written: a file of another format under such a name misleads.
const OTHERS: &[&str] = &[
    "arrow",
    "arrows",
    "avro",
    "db",
    "duckdb",
    "feather",
    "gz",
    "h5",
    "hdf5",
    "ipc",
    "npz",
    "orc",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "safetensors",
    "sqlite",
    "xls",
    "xlsx",
    "zip",
    "zst",
];

/// Refuses a file name that says a format which is not written.
pub fn must_be_written(path: &Path) -> Result<(), Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match OTHERS.iter().find(|other| extension.eq_ignore_ascii_case(other)) {
        Some(other) => Err(Failure::Usage(format!(
            "--output {}: {other} is not written; choose one of {} by the file's name, or with --format",
            path.display(),
            VectorFormat::names(Writing::Texts)
        ))),
        None => Ok(()),
    }
}

impl VectorFormat {
    /// Whether a command can write it.
    pub fn supports(self, writing: Writing) -> bool {
        match self {
            VectorFormat::Json => writing == Writing::Texts,
            VectorFormat::Parquet => writing == Writing::Table,
            _ => true,
        }
    }

    /// The names of all that a command can write.
    pub fn names(writing: Writing) -> String {
        let formats = VectorFormat::value_variants().iter().filter(|one| one.supports(writing));
        formats.map(|format| format.name()).collect::<Vec<_>>().join(", ")
    }

    /// The name that `--format` takes.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The format that a file's extension names.
    pub fn of(path: &Path) -> Option<VectorFormat> {
        match path.extension()?.to_str()? {
            extension if extension.eq_ignore_ascii_case("pq") => Some(VectorFormat::Parquet),
            extension if extension.eq_ignore_ascii_case("ndjson") => Some(VectorFormat::Jsonl),
            extension if extension.eq_ignore_ascii_case("tab") => Some(VectorFormat::Tsv),
            extension => VectorFormat::from_str(extension, true).ok(),
        }
    }

    /// Whether it can say where in its text a chunk is.
    pub fn shows_chunks(self) -> bool {
        matches!(self, VectorFormat::Jsonl | VectorFormat::Parquet)
    }

    pub fn is_binary(self) -> bool {
        matches!(self, VectorFormat::Npy | VectorFormat::Raw | VectorFormat::Parquet)
    }

    /// The writer of this format; none for Parquet, whose writer needs the columns of a table.
    pub fn writer(self) -> Option<Box<dyn FormatWriter>> {
        Some(match self {
            VectorFormat::Json => Box::new(Json),
            VectorFormat::Jsonl => Box::new(Jsonl),
            VectorFormat::Csv => Box::new(Csv { delimiter: b',' }),
            VectorFormat::Tsv => Box::new(Csv { delimiter: b'\t' }),
            VectorFormat::Npy => Box::new(Npy::default()),
            VectorFormat::Raw => Box::new(Raw),
            VectorFormat::Parquet => return None,
        })
    }
}
