//! A NumPy array of float32 or float16, one vector per row.

use std::fs::File;
use std::io::{BufReader, Read};

use half::f16;

use super::Vectors;
use crate::cli::failure::Failure;

pub struct Npy {
    reader: BufReader<File>,
    name: String,
    rows: u64,
    dimensions: usize,
    /// Bytes per value: 4 or 2.
    width: usize,
    bytes: Vec<u8>,
}

/// More dimensions mean a damaged header.
const MAX_DIMENSIONS: usize = 1 << 20;

impl Npy {
    /// Reads the header: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    ///
    /// `expected` ends the message where the values have another type.
    pub fn open(file: File, name: &str, expected: &str) -> Result<Npy, Failure> {
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let bad = |why: &str| Failure::Failed(format!("{name}: {why}"));
        let mut start = [0; 8];
        read(&mut reader, &mut start, name)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(bad("not a NumPy array"));
        }
        // Version 1 counts the header's bytes in two bytes, later ones in four.
        let mut length = [0; 4];
        let digits = if start[6] == 1 { 2 } else { 4 };
        read(&mut reader, &mut length[..digits], name)?;
        let mut header = vec![0; u32::from_le_bytes(length).min(1 << 16) as usize];
        read(&mut reader, &mut header, name)?;
        let header = String::from_utf8_lossy(&header).replace([' ', '"'], "");
        let width = match header.split("'descr':'").nth(1).and_then(|rest| rest.split('\'').next())
        {
            Some("<f4") => 4,
            Some("<f2") => 2,
            Some(code) => {
                let found = type_name(code).unwrap_or_else(|| code.to_owned());
                return Err(bad(&format!("its values are {found}; {expected}")));
            }
            None => return Err(bad("its header does not say what its values are")),
        };
        let shape = header.split("'shape':(").nth(1).and_then(|rest| rest.split(')').next());
        let lengths: Option<Vec<u64>> = shape.and_then(|shape| {
            shape.split(',').filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect()
        });
        match lengths.as_deref() {
            Some(&[rows, dimensions])
                if header.contains("'fortran_order':False")
                    && dimensions <= MAX_DIMENSIONS as u64 =>
            {
                let (dimensions, bytes) = (dimensions as usize, Vec::new());
                Ok(Npy { reader, name: name.to_owned(), rows, dimensions, width, bytes })
            }
            _ => Err(bad("not a two-dimensional array in C order")),
        }
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
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<bool, Failure> {
        if self.rows == 0 {
            return Ok(false);
        }
        self.rows -= 1;
        self.bytes.resize(self.dimensions * self.width, 0);
        read(&mut self.reader, &mut self.bytes, &self.name)?;
        vector.clear();
        if self.width == 4 {
            vector.extend(self.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        } else {
            let values = self.bytes.as_chunks().0.iter();
            vector.extend(values.map(|bytes| f16::from_le_bytes(*bytes).to_f32()));
        }
        Ok(true)
    }
}

fn read(reader: &mut impl Read, bytes: &mut [u8], name: &str) -> Result<(), Failure> {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            Failure::Failed(format!("{name}: ends before its last value"))
        }
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
