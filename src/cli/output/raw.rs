//! raw: little-endian float32 and nothing else.

use std::io;

use super::destination::Destination;
use super::npy::write_values;
use super::{FormatWriter, Record, Summary};

pub struct Raw;

impl FormatWriter for Raw {
    fn begin(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn record(&mut self, out: &mut Destination, record: &Record<'_>) -> io::Result<()> {
        write_values(out, record.vector)
    }

    fn end(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}
