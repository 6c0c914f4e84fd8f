//! Vectors, one by one for `search` and `dedupe`: read from a file, or made of a table's texts.

mod decode;
mod jsonl;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod texts;

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use super::message;
use super::records::Id;

pub use decode::Decode;
pub use npy::Npy;
pub use texts::Texts;

/// What a file says about a vector.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Label {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where the text is a part of a longer one.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The value of the column that colours a map.
    #[serde(skip)]
    #[cfg_attr(not(feature = "plot"), allow(dead_code))]
    pub color: Option<String>,
}

/// Where a chunk is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Place {
    /// The file of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The headings above it, from the outermost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// Its first byte in the text, and the one after its last.
    pub chunk_begin: u64,
    pub chunk_end: u64,
}

/// Vectors that were read together.
#[derive(Debug, Default)]
pub struct Block {
    /// Values of each; zero where no row has a vector.
    pub dimensions: usize,
    /// The values of the rows that have vectors, one after another.
    pub values: Vec<f32>,
    /// Whether each row has a vector.
    pub has_vector: Vec<bool>,
}

/// Which vectors of a file are read, and how.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// The column of the vectors in a table.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub column: &'a str,
    /// That of the texts [default: the one that the file names].
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub text_column: Option<&'a str>,
    /// A column whose values are part of the labels.
    pub color_column: Option<&'a str>,
    /// How the values are decoded, where the caller was told.
    pub told: Option<Decode>,
}

/// Vectors of a file from a row on.
pub struct Part<'a> {
    pub first: u64,
    pub vectors: Box<dyn Vectors + Send + 'a>,
}

/// What a row is called in answers: its id, else its number, from 0.
pub fn row_name(row: u64, id: Option<&Id>) -> String {
    id.map_or_else(|| row.to_string(), |id| message::one_line(&id.plain(), usize::MAX))
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

    /// Reads the next rows together; false where there are none. A format whose rows take long is read row by row.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, Failure> {
        block.has_vector.clear();
        match self.next(&mut block.values)? {
            Next::End => return Ok(false),
            Next::Vector => (block.dimensions, block.has_vector) = (block.values.len(), vec![true]),
            Next::Null => {
                block.values.clear();
                block.has_vector.push(false);
            }
        }
        Ok(true)
    }

    /// The label of a row of the last block.
    fn label_of(&self, _row: usize) -> Label {
        self.label()
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
pub fn open(path: &Path, reading: &Reading<'_>) -> Result<Box<dyn Vectors + Send>, Failure> {
    let mut parts = open_parts(path, reading, 1)?;
    Ok(parts.swap_remove(0).vectors)
}

/// Opens the same in at most so many parts, which together are the file, to be read at the same time.
pub fn open_parts(
    path: &Path,
    reading: &Reading<'_>,
    n: usize,
) -> Result<Vec<Part<'static>>, Failure> {
    let name = path.display().to_string();
    let open = || File::open(path).map_err(|error| Failure::reading(&name, &error));
    if let (Some(column), false) =
        (reading.color_column, ["parquet", "pq"].contains(&extension(path).as_str()))
    {
        return Err(Failure::Usage(format!(
            "--color {column}: {name} is no Parquet file, so it has no such column"
        )));
    }
    let whole = |vectors: Box<dyn Vectors + Send>| Ok(vec![Part { first: 0, vectors }]);
    match extension(path).as_str() {
        "npy" => Npy::open_parts(open, &name, reading, n),
        "jsonl" | "ndjson" => {
            whole(Box::new(jsonl::Jsonl::new(Box::new(open()?), name, reading.told.clone())))
        }
        #[cfg(feature = "parquet")]
        "parquet" | "pq" => parquet::open_parts(open, name.clone(), reading, n),
        #[cfg(not(feature = "parquet"))]
        "parquet" | "pq" => Err(Failure::without_parquet()),
        _ => Err(Failure::Usage(format!(
            "--in {name}: vectors are read from npy, parquet and jsonl"
        ))),
    }
}
