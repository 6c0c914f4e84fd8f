//! Vectors, one by one for `search` and `dedupe`: read from a file, or made of a table's texts.

mod jsonl;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod texts;

use std::fs::File;
use std::path::Path;

use super::failure::Failure;
use super::records::Id;

pub use npy::Npy;
pub use texts::Texts;

/// The types of values that are compared. Whole numbers need the ranges that they were made with, and a query in bits.
const READS: &str = "float32, float16 and float64 can be read";

/// What a file says about a vector.
#[derive(Debug, Default)]
pub struct Label {
    pub id: Option<Id>,
    pub text: Option<String>,
}

/// What a row is called in answers: its id, else its number, from 0.
pub fn row_name(row: u64, id: Option<&Id>) -> String {
    match id {
        Some(Id::String(id)) => id.replace(char::is_control, " "),
        Some(id) => id.to_string(),
        None => row.to_string(),
    }
}

/// What is in the next row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Vector,
    /// Nothing, or a vector that lacks values: joins of tables make such rows.
    Null,
    /// There is no row.
    End,
}

/// How the vectors of a file were made, as far as it says.
#[derive(Debug, Default)]
pub struct About {
    /// Hash of the model file, in hexadecimal.
    pub model: Option<String>,
    pub prompt: Option<String>,
}

/// Vectors, one by one.
pub trait Vectors {
    /// Puts the next vector into `vector`.
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure>;

    /// The label of the last vector.
    fn label(&self) -> Label {
        Label::default()
    }

    fn about(&self) -> About {
        About::default()
    }
}

/// Whether a file has vectors, for all that can be told. Other files may be tables of texts.
pub fn are_in(
    path: &Path,
    column: Option<&str>,
    text_column: Option<&str>,
) -> Result<bool, Failure> {
    let name = path.display().to_string();
    // The beginning of a pipe could not be read again.
    let open = || match path.is_file() {
        true => File::open(path).map(Some).map_err(|error| Failure::reading(&name, &error)),
        false => Ok(None),
    };
    let text_column = text_column.unwrap_or("text");
    match extension(path).as_str() {
        "npy" => Ok(true),
        "jsonl" | "ndjson" => match open()? {
            Some(file) => jsonl::are_in(Box::new(file), name, text_column),
            None => Ok(true),
        },
        #[cfg(feature = "parquet")]
        "parquet" | "pq" => match open()? {
            Some(file) if column.is_none() => parquet::are_in(file, &name, text_column),
            _ => Ok(true),
        },
        #[cfg(not(feature = "parquet"))]
        "parquet" | "pq" => {
            let _ = column;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn extension(path: &Path) -> String {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extension.to_ascii_lowercase()
}

/// Opens a file that `batch` or `embed` wrote; its extension says which format it has.
pub fn open(
    path: &Path,
    column: &str,
    text_column: Option<&str>,
) -> Result<Box<dyn Vectors>, Failure> {
    let name = path.display().to_string();
    let open = || File::open(path).map_err(|error| Failure::reading(&name, &error));
    match extension(path).as_str() {
        "npy" => Ok(Box::new(Npy::open(open()?, &name, READS)?)),
        "jsonl" | "ndjson" => Ok(Box::new(jsonl::Jsonl::new(Box::new(open()?), name))),
        #[cfg(feature = "parquet")]
        "parquet" | "pq" => {
            Ok(Box::new(parquet::Parquet::open(open()?, name, column, text_column)?))
        }
        #[cfg(not(feature = "parquet"))]
        "parquet" | "pq" => {
            let _ = (column, text_column);
            Err(Failure::without_parquet())
        }
        _ => Err(Failure::Usage(format!(
            "--in {name}: vectors are read from npy, parquet and jsonl"
        ))),
    }
}
