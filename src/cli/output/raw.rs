//! raw: the values, little-endian, and nothing else.

use std::io::{self, Write};

use monomorph::Values;

use super::destination::Destination;
use super::{FormatWriter, Record, Summary};

pub struct Raw;

impl FormatWriter for Raw {
    fn begin(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, out: &mut Destination, _: Record<'_>, values: &Values) -> io::Result<()> {
        out.write_all(&values.to_le_bytes())
    }

    fn end(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
