//! npy: NumPy's array file, format 1.0.
//!
//! The header holds the number of vectors, which is known only at the end. A file gets a header of fixed
//! size that is overwritten then; elsewhere the values wait in memory.

use std::io::{self, Write};

use super::destination::Destination;
use super::{FormatWriter, Record, Summary};

/// A multiple of 64, as the format wants it, with room for any two lengths.
const HEADER_BYTES: usize = 128;

#[derive(Default)]
pub struct Npy {
    /// Values that cannot be written before the header; little-endian.
    waiting: Vec<u8>,
}

impl FormatWriter for Npy {
    fn begin(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()> {
        if out.can_overwrite() { out.write_all(&header(summary)) } else { Ok(()) }
    }

    fn record(&mut self, out: &mut Destination, record: &Record<'_>) -> io::Result<()> {
        if out.can_overwrite() {
            write_values(out, record.vector)
        } else {
            write_values(&mut self.waiting, record.vector)
        }
    }

    fn end(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()> {
        if out.can_overwrite() {
            out.overwrite_start(&header(summary))
        } else {
            out.write_all(&header(summary))?;
            out.write_all(&self.waiting)
        }
    }
}

/// Writes little-endian float32.
pub fn write_values(out: &mut impl Write, values: &[f32]) -> io::Result<()> {
    for value in values {
        out.write_all(&value.to_le_bytes())?;
    }
    Ok(())
}

/// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
fn header(summary: &Summary) -> [u8; HEADER_BYTES] {
    const START: &[u8; 10] = b"\x93NUMPY\x01\x00\x76\x00";
    const { assert!(START[8] as usize == HEADER_BYTES - START.len()) };
    let (n, d) = (summary.texts, summary.dimensions);
    let dict = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {d}), }}");
    let mut header = [b' '; HEADER_BYTES];
    header[..START.len()].copy_from_slice(START);
    header[START.len()..START.len() + dict.len()].copy_from_slice(dict.as_bytes());
    header[HEADER_BYTES - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_holds_any_lengths() {
        for (texts, dimensions) in [(0, 1), (3, 768), (usize::MAX, usize::MAX)] {
            let header = header(&Summary { model: "", dimensions, texts, tokens: 0 });
            let text = String::from_utf8_lossy(&header[10..]);
            assert!(text.contains(&format!("({texts}, {dimensions}), }}")), "{text}");
            assert!(text.ends_with(" \n"));
        }
    }
}
