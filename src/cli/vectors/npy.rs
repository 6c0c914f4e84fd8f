//! A NumPy array, one vector per row.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use half::f16;

use super::decode::{Decode, Stored, plus_128};
use super::{Block, Next, Part, Reading, Vectors};
use crate::cli::failure::Failure;

pub struct Npy {
    file: BufReader<File>,
    name: String,
    shape: Shape,
    decode: Decode,
    /// The next row, the one to end before, and those that have been read ahead, little-endian.
    row: u64,
    end: u64,
    ahead: VecDeque<u8>,
    /// Bytes of rows on their way to floats.
    bytes: Vec<u8>,
}

/// What the header says.
#[derive(Clone, Copy)]
struct Shape {
    rows: u64,
    /// Stored values of a row.
    length: usize,
    stored: Stored,
    /// Whether the values of a column, not those of a row, lie side by side.
    by_column: bool,
    /// Where the values begin.
    begin: u64,
}

/// More dimensions mean a damaged header.
const MAX_DIMENSIONS: u64 = 1 << 20;

/// What is read together. It stays in the cache until it has been compared.
const BLOCK_BYTES: usize = 256 << 10;

/// What is read ahead where values lie by column: with fewer bytes a column, seeking takes longer than reading.
const AHEAD_BYTES: u64 = 32 << 20;

impl Npy {
    /// Reads the header: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    pub fn open(file: File, name: &str, decode: Decode) -> Result<Npy, Failure> {
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
        let code = header.split("'descr':'").nth(1).and_then(|rest| rest.split('\'').next());
        let code = code.ok_or_else(|| bad("its header does not say what its values are"))?;
        let stored = match code {
            "<f2" => Stored::Half,
            "<f4" => Stored::Single,
            "<f8" => Stored::Double,
            "|i1" => Stored::Signed,
            "|u1" => Stored::Unsigned,
            code => {
                let found = type_name(code).unwrap_or_else(|| code.to_owned());
                return Err(bad(&format!("its values are {found}, which are not read")));
            }
        };
        let by_column = header.contains("'fortran_order':True");
        let shape = header.split("'shape':(").nth(1).and_then(|rest| rest.split(')').next());
        let lengths: Option<Vec<u64>> = shape.and_then(|shape| {
            shape.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
        });
        let Some(&[rows, length]) = lengths.as_deref() else {
            return Err(bad("not a two-dimensional array"));
        };
        if length > MAX_DIMENSIONS {
            return Err(bad("not a two-dimensional array"));
        }
        let length = length as usize;
        decode.check(stored, length).map_err(|why| bad(&why))?;
        let shape = Shape { rows, length, stored, by_column, begin };
        let (ahead, bytes) = Default::default();
        Ok(Npy { file, name: name.to_owned(), shape, decode, row: 0, end: rows, ahead, bytes })
    }

    /// The file in parts of as many rows each.
    pub fn open_parts(
        open: impl Fn() -> Result<File, Failure>,
        name: &str,
        reading: &Reading<'_>,
        n: usize,
    ) -> Result<Vec<Part<'static>>, Failure> {
        let decode = reading.told.clone().unwrap_or_default();
        let whole = Npy::open(open()?, name, decode.clone())?;
        let Shape { rows, by_column, .. } = whole.shape;
        let n = if by_column { 1 } else { n.clamp(1, usize::try_from(rows).unwrap_or(1).max(1)) };
        if n == 1 {
            return Ok(vec![Part { first: 0, vectors: Box::new(whole) }]);
        }
        let place = |part: usize| (u128::from(rows) * part as u128 / n as u128) as u64;
        let part = |part: usize| {
            let mut npy = Npy::open(open()?, name, decode.clone())?;
            npy.enter(place(part), place(part + 1))?;
            Ok(Part { first: place(part), vectors: Box::new(npy) as _ })
        };
        (0..n).map(part).collect()
    }

    /// Goes to a row, to end before another.
    fn enter(&mut self, row: u64, end: u64) -> Result<(), Failure> {
        let at = row.checked_mul(self.row_bytes() as u64);
        let at = at.and_then(|at| at.checked_add(self.shape.begin));
        let at = at.ok_or_else(|| Failure::Failed(format!("{}: {CUT}", self.name)))?;
        self.file
            .seek(SeekFrom::Start(at))
            .map_err(|error| Failure::reading(&self.name, &error))?;
        (self.row, self.end) = (row, end);
        Ok(())
    }

    fn row_bytes(&self) -> usize {
        self.shape.length * self.shape.stored.bytes()
    }

    /// Appends the floats of so many rows, which it reads.
    fn read_rows(&mut self, rows: usize, values: &mut Vec<f32>) -> Result<(), Failure> {
        let length = rows * self.row_bytes();
        if self.shape.stored == Stored::Single && cfg!(target_endian = "little") {
            let at = values.len();
            values.resize(at + length / 4, 0.0);
            return self.read(length, Some(bytemuck::cast_slice_mut(&mut values[at..])));
        }
        self.read(length, None)?;
        let bytes = &self.bytes[..length];
        match self.shape.stored {
            Stored::Half => {
                let halves = bytes.as_chunks().0.iter();
                values.extend(halves.map(|bytes| f16::from_le_bytes(*bytes).to_f32()));
            }
            Stored::Single => {
                values.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            Stored::Double => {
                let doubles = bytes.as_chunks().0.iter();
                values.extend(doubles.map(|bytes| f64::from_le_bytes(*bytes) as f32));
            }
            Stored::Signed | Stored::Unsigned => {
                let is_signed = self.shape.stored == Stored::Signed;
                let unsigned = |byte: &u8| {
                    if is_signed { plus_128(byte.cast_signed()) } else { *byte }
                };
                for row in bytes.chunks_exact(self.shape.length.max(1)) {
                    self.decode.extend(row.iter().map(unsigned), values);
                }
            }
        }
        Ok(())
    }

    /// Reads bytes of rows into `to`, or else into its own.
    fn read(&mut self, length: usize, to: Option<&mut [u8]>) -> Result<(), Failure> {
        if self.shape.by_column && self.ahead.len() < length {
            self.read_ahead()?;
        }
        let to = match to {
            Some(to) => to,
            None => {
                self.bytes.resize(length.max(self.bytes.len()), 0);
                &mut self.bytes[..length]
            }
        };
        match self.shape.by_column {
            true => to.iter_mut().zip(self.ahead.drain(..length)).for_each(|(to, from)| *to = from),
            false => read(&mut self.file, to, &self.name)?,
        }
        Ok(())
    }

    /// Reads as many rows ahead as fit, from each column its share.
    fn read_ahead(&mut self) -> Result<(), Failure> {
        let Shape { rows, length, stored, begin, .. } = self.shape;
        let (columns, width) = (length as u64, stored.bytes() as u64);
        let count = (AHEAD_BYTES / (columns * width).max(1)).clamp(1, rows - self.row);
        let mut part = vec![0; (count * width) as usize];
        let mut all = vec![0; (count * width * columns) as usize];
        let row_bytes = (columns * width) as usize;
        let width_bytes = width as usize;
        for column in 0..length {
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
        if self.row == self.end {
            return Ok(Next::End);
        }
        vector.clear();
        self.read_rows(1, vector)?;
        self.row += 1;
        Ok(Next::Vector)
    }

    fn next_block(&mut self, block: &mut Block) -> Result<bool, Failure> {
        let most = if self.shape.by_column { 1 } else { BLOCK_BYTES / self.row_bytes().max(1) };
        let rows = (self.end - self.row).min(most.max(1) as u64);
        block.values.clear();
        block.has_vector.clear();
        if rows == 0 {
            return Ok(false);
        }
        self.read_rows(rows as usize, &mut block.values)?;
        block.has_vector.resize(rows as usize, true);
        block.dimensions = self.decode.dimensions(self.shape.length);
        self.row += rows;
        Ok(true)
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
