//! npy: NumPy's array file, format 1.0.
//!
//! The header holds the number of vectors, which is known only at the end. A file gets a header of fixed
//! size that is overwritten then; elsewhere the values wait in memory.

use std::io::{self, Write};

use monomorph::{Precision, Values};

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

    fn record(&mut self, out: &mut Destination, _: Record<'_>, values: &Values) -> io::Result<()> {
        let bytes = values.to_le_bytes();
        if out.can_overwrite() {
            out.write_all(&bytes)
        } else {
            self.waiting.extend(bytes);
            Ok(())
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

/// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
fn header(summary: &Summary) -> [u8; HEADER_BYTES] {
    const START: &[u8; 10] = b"\x93NUMPY\x01\x00\x76\x00";
    const { assert!(START[8] as usize == HEADER_BYTES - START.len()) };
    let (n, d) = (summary.texts, summary.values);
    let descr = match summary.precision {
        Precision::Float32 => "<f4",
        Precision::Float16 => "<f2",
        Precision::Int8 | Precision::Binary => "|i1",
        Precision::Uint8 | Precision::Ubinary => "|u1",
    };
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({n}, {d}), }}");
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
        for (texts, values) in [(0, 1), (3, 768), (usize::MAX, usize::MAX)] {
            let summary = Summary { texts, ..Summary::new("", Precision::Float32, values) };
            let header = header(&summary);
            let text = String::from_utf8_lossy(&header[10..]);
            assert!(text.contains(&format!("({texts}, {values}), }}")), "{text}");
            assert!(text.ends_with(" \n"));
        }
    }
}
