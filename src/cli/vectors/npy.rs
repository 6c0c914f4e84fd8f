//! A NumPy array of floats, one vector per row.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use half::f16;

use super::{Next, Vectors};
use crate::cli::failure::Failure;

pub struct Npy {
    file: BufReader<File>,
    name: String,
    shape: Shape,
    /// The next row, and those that have been read ahead of it, little-endian.
    row: u64,
    ahead: VecDeque<u8>,
}

/// What the header says.
#[derive(Clone, Copy)]
struct Shape {
    rows: u64,
    dimensions: usize,
    width: Width,
    /// Whether the values of a column, not those of a row, lie side by side.
    by_column: bool,
    /// Where the values begin.
    begin: u64,
}

/// A kind of float, by its bytes.
#[derive(Clone, Copy)]
enum Width {
    Half = 2,
    Single = 4,
    Double = 8,
}

/// More dimensions mean a damaged header.
const MAX_DIMENSIONS: u64 = 1 << 20;

/// What is read ahead where values lie by column: with fewer bytes a column, seeking takes longer than reading.
const AHEAD_BYTES: u64 = 32 << 20;

impl Npy {
    /// Reads the header: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    ///
    /// `expected` ends the message where the values have another type.
    pub fn open(file: File, name: &str, expected: &str) -> Result<Npy, Failure> {
        let mut file = BufReader::with_capacity(1 << 20, file);
        let bad = |why: &str| Failure::Failed(format!("{name}: {why}"));
        let mut start = [0; 8];
        read(&mut file, &mut start, name)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(bad("not a NumPy array"));
        }
        // Version 1 counts the header's bytes in two bytes, later ones in four.
        let mut length = [0; 4];
        let digits = if start[6] == 1 { 2 } else { 4 };
        read(&mut file, &mut length[..digits], name)?;
        let mut header = vec![0; u32::from_le_bytes(length).min(1 << 16) as usize];
        read(&mut file, &mut header, name)?;
        let begin = (start.len() + digits + header.len()) as u64;
        let header = String::from_utf8_lossy(&header).replace([' ', '"'], "");
        let width = match header.split("'descr':'").nth(1).and_then(|rest| rest.split('\'').next())
        {
            Some("<f2") => Width::Half,
            Some("<f4") => Width::Single,
            Some("<f8") => Width::Double,
            Some(code) => {
                let found = type_name(code).unwrap_or_else(|| code.to_owned());
                return Err(bad(&format!("its values are {found}; {expected}")));
            }
            None => return Err(bad("its header does not say what its values are")),
        };
        let by_column = header.contains("'fortran_order':True");
        let shape = header.split("'shape':(").nth(1).and_then(|rest| rest.split(')').next());
        let lengths: Option<Vec<u64>> = shape.and_then(|shape| {
            shape.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
        });
        match lengths.as_deref() {
            Some(&[rows, dimensions]) if dimensions <= MAX_DIMENSIONS => {
                let dimensions = dimensions as usize;
                let shape = Shape { rows, dimensions, width, by_column, begin };
                Ok(Npy { file, name: name.to_owned(), shape, row: 0, ahead: VecDeque::new() })
            }
            _ => Err(bad("not a two-dimensional array")),
        }
    }

    /// Reads as many rows ahead as fit, from each column its share.
    fn read_ahead(&mut self) -> Result<(), Failure> {
        let Shape { rows, dimensions, width, begin, .. } = self.shape;
        let (columns, width) = (dimensions as u64, width as u64);
        let count = (AHEAD_BYTES / (columns * width).max(1)).clamp(1, rows - self.row);
        let mut part = vec![0; (count * width) as usize];
        let mut all = vec![0; (count * width * columns) as usize];
        let row_bytes = (columns * width) as usize;
        let width_bytes = width as usize;
        for column in 0..dimensions {
            let values = (column as u64).checked_mul(rows).and_then(|n| n.checked_add(self.row));
            let at = values.and_then(|n| n.checked_mul(width)?.checked_add(begin));
            let at = at.ok_or_else(|| Failure::Failed(format!("{}: {CUT}", self.name)))?;
            self.file
                .seek(SeekFrom::Start(at))
                .map_err(|error| Failure::reading(&self.name, &error))?;
            read(&mut self.file, &mut part, &self.name)?;
            for (row, value) in part.chunks_exact(width_bytes).enumerate() {
                let to = row * row_bytes + column * width_bytes;
                all[to..to + width_bytes].copy_from_slice(value);
            }
        }
        self.ahead = all.into();
        Ok(())
    }
}

/// NumPy's name for a type that its files state as a code, such as int8 for `|i1`.
fn type_name(code: &str) -> Option<String> {
    let mut code = code.chars();
    let order = if code.next()? == '>' { "big-endian " } else { "" };
    let kind = match code.next()? {
        'f' => "float",
        'i' => "int",
        'u' => "uint",
        _ => return None,
    };
    let bytes: u8 = code.as_str().parse().ok()?;
    Some(format!("{order}{kind}{}", 8 * u32::from(bytes)))
}

impl Vectors for Npy {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        if self.row == self.shape.rows {
            return Ok(Next::End);
        }
        let length = self.shape.dimensions * self.shape.width as usize;
        let bytes: Vec<u8> = if self.shape.by_column {
            if self.ahead.len() < length {
                self.read_ahead()?;
            }
            self.ahead.drain(..length).collect()
        } else {
            let mut bytes = vec![0; length];
            read(&mut self.file, &mut bytes, &self.name)?;
            bytes
        };
        self.row += 1;
        vector.clear();
        match self.shape.width {
            Width::Half => {
                let values = bytes.as_chunks().0.iter();
                vector.extend(values.map(|bytes| f16::from_le_bytes(*bytes).to_f32()));
            }
            Width::Single => {
                vector.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            Width::Double => {
                let values = bytes.as_chunks().0.iter();
                vector.extend(values.map(|bytes| f64::from_le_bytes(*bytes) as f32));
            }
        }
        Ok(Next::Vector)
    }
}

const CUT: &str = "ends before its last value";

fn read(reader: &mut impl Read, bytes: &mut [u8], name: &str) -> Result<(), Failure> {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Failure::Failed(format!("{name}: {CUT}")),
        _ => Failure::reading(name, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::type_name;

    #[test]
    fn types_have_their_names() {
        for (code, name) in
            [("|i1", "int8"), ("|u1", "uint8"), ("<f8", "float64"), (">f4", "big-endian float32")]
        {
            assert_eq!(type_name(code).as_deref(), Some(name));
        }
        for code in ["", "<", "<f", "<U5", "<f999"] {
            assert_eq!(type_name(code), None, "{code}");
        }
    }
}
