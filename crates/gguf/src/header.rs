//! The header of a GGUF file: everything before the tensor data. [`Header`] mirrors the file and checks only that it is
//! well formed.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::fs::{File, Metadata as FileMetadata};
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Limit, Place, printable};
use crate::metadata::{MIN_ENTRY_BYTES, Metadata};
use crate::other;
use crate::reader::Cursor;
use crate::tensor::{MIN_TENSOR_INFO_BYTES, TensorInfo};
use crate::value::Value;

/// The first four bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";

/// Alignment of tensor data in bytes, if the file does not state one.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// Largest accepted alignment in bytes: the largest page size of any machine that we know of.
const MAX_ALIGNMENT: u32 = 65_536;

const ALIGNMENT_KEY: &str = "general.alignment";

/// A parsed header, borrowed from the file's bytes.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// Version of the format, 2 or 3.
    pub version: u32,
    /// Alignment of tensor data in bytes, a power of two.
    pub alignment: u64,
    /// Keys and values, in file order.
    pub metadata: Metadata<'a>,
    /// The tensors' descriptions, in file order; the data of each lies inside the file.
    pub tensors: Vec<TensorInfo<'a>>,
    /// Length of the header in bytes, without the padding after it.
    pub header_len: u64,
    /// Where tensor data begins, in bytes from the file's start.
    pub data_offset: u64,
    /// Length of the whole file in bytes.
    pub file_len: u64,
}

impl<'a> Header<'a> {
    /// Parses a header. `bytes` holds the beginning of the file or all of it; `file_len` is the length of the whole
    /// file.
    ///
    /// Returns [`Error::NeedMore`] if `bytes` ends inside the header but the file is longer.
    pub fn parse(bytes: &'a [u8], file_len: u64) -> Result<Header<'a>, Error> {
        let mut cursor = Cursor::new(bytes, file_len, Place::Field("the magic number"));
        let version = parse_version(&mut cursor)?;
        cursor.place = Place::Field("the number of tensors");
        let n_tensors = cursor.count(MIN_TENSOR_INFO_BYTES)?;
        cursor.place = Place::Field("the number of metadata keys");
        let n_kv = cursor.count(MIN_ENTRY_BYTES)?;

        let metadata = Metadata::parse(&mut cursor, n_kv)?;
        let alignment = parse_alignment(&metadata)?;
        let mut tensors = parse_tensors(&mut cursor, n_tensors)?;

        let header_len = cursor.pos();
        let data_offset = header_len.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        for tensor in &mut tensors {
            tensor.place(data_offset, alignment, file_len)?;
        }
        Ok(Header { version, alignment, metadata, tensors, header_len, data_offset, file_len })
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo<'a>> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

fn parse_version(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    let other = other::known(cursor.given());
    let mut found = [0; 4];
    found.copy_from_slice(cursor.take(4)?);
    if found != MAGIC {
        return Err(Error::Magic { found, other });
    }
    cursor.place = Place::Field("the version");
    match cursor.u32()? {
        version @ (2 | 3) => Ok(version),
        found => Err(Error::Version { found }),
    }
}

/// The format allows exactly one type for this key. Readers that accepted any integer type disagreed about the same
/// file.
fn parse_alignment(metadata: &Metadata<'_>) -> Result<u64, Error> {
    match metadata.get(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&Value::U32(n)) if n.is_power_of_two() && (8..=MAX_ALIGNMENT).contains(&n) => {
            Ok(n.into())
        }
        Some(found) => Err(Error::key(
            ALIGNMENT_KEY,
            found,
            format!("a u32, a power of two from 8 to {MAX_ALIGNMENT}"),
        )),
    }
}

fn parse_tensors<'a>(
    cursor: &mut Cursor<'a>,
    n_tensors: u64,
) -> Result<Vec<TensorInfo<'a>>, Error> {
    let room = cursor.reserve(n_tensors, MIN_TENSOR_INFO_BYTES as usize);
    let mut tensors = Vec::with_capacity(room);
    let mut seen = HashSet::with_capacity(room);
    for number in 0..n_tensors {
        let tensor = TensorInfo::parse(cursor, number)?;
        if !seen.insert(tensor.name) {
            return Err(Error::tensor(printable(tensor.name), "the name twice", "once"));
        }
        tensors.push(tensor);
    }
    Ok(tensors)
}

/// The beginning of a file, long enough to hold its header.
#[derive(Debug, Clone)]
pub struct Prefix {
    /// The first bytes of the file.
    pub bytes: Vec<u8>,
    /// Length of the whole file in bytes.
    pub file_len: u64,
}

/// How many bytes [`read_prefix`] reads first. The header of a model with 262,144 pieces takes 6.5 MB.
const FIRST_READ: u64 = 1 << 20;

/// Longest header in bytes that [`read_prefix`] reads into memory.
const MAX_HEADER: u64 = 1 << 28;

/// Reads enough of the file at `path` for [`Header::parse`] to succeed. Refuses anything but regular files.
///
/// A malformed header is already an error here.
pub fn read_prefix(path: &Path) -> Result<Prefix, Error> {
    let io = |error: std::io::Error| Error::Io { path: path.to_owned(), reason: error.to_string() };
    // Checked before opening, because opening a pipe would wait for a writer.
    refuse_irregular(path, &std::fs::metadata(path).map_err(io)?)?;
    let mut file = File::open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?;
    refuse_irregular(path, &found)?;
    let file_len = found.len();

    let mut bytes = Vec::new();
    let mut wanted = FIRST_READ.min(file_len);
    loop {
        let more = wanted.saturating_sub(bytes.len() as u64);
        file.by_ref().take(more).read_to_end(&mut bytes).map_err(io)?;
        if (bytes.len() as u64) < wanted {
            return Err(Error::Io {
                path: path.to_owned(),
                reason: "the file shrank while it was read".to_owned(),
            });
        }
        match Header::parse(&bytes, file_len) {
            Ok(_) => return Ok(Prefix { bytes, file_len }),
            Err(Error::NeedMore { needed }) if needed > MAX_HEADER => {
                return Err(Error::too_large(
                    Place::Field("the header"),
                    needed,
                    Limit::Fixed(MAX_HEADER),
                ));
            }
            Err(Error::NeedMore { needed }) => {
                wanted = wanted.saturating_mul(2).max(needed).min(file_len)
            }
            Err(error) => return Err(error),
        }
    }
}

fn refuse_irregular(path: &Path, found: &FileMetadata) -> Result<(), Error> {
    let found = match found.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory",
        _ => "not a regular file",
    };
    Err(Error::NotAFile { path: path.to_owned(), found })
}
