//! csv and tsv: a header line, then a line a text with its id and the values. Quoted where an id needs it.

use std::io::{self, Write};

use monomorph::Values;

use super::destination::Destination;
use super::numbers::Numbers;
use super::{FormatWriter, Record, Summary};
use crate::cli::records::Id;

pub struct Csv {
    pub delimiter: u8,
}

impl FormatWriter for Csv {
    fn begin(&mut self, out: &mut Destination, summary: &Summary) -> io::Result<()> {
        let columns = (0..summary.values).map(|i| format!("v{i}"));
        self.line(out, |line| line.write_record(std::iter::once("id".to_owned()).chain(columns)))
    }

    fn record(
        &mut self,
        out: &mut Destination,
        record: Record<'_>,
        values: &Values,
    ) -> io::Result<()> {
        let values = Numbers(values);
        self.line(out, |line| match record.id {
            Some(Id::String(id)) => line.serialize((id, values)),
            Some(Id::Unsigned(id)) => line.serialize((id, values)),
            Some(Id::Signed(id)) => line.serialize((id, values)),
            None => line.serialize((record.index, values)),
        })
    }

    fn end(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }
}

impl Csv {
    fn line(
        &self,
        out: &mut Destination,
        write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>,
    ) -> io::Result<()> {
        let mut line = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .from_writer(Vec::new());
        write(&mut line).map_err(io::Error::other)?;
        let bytes = line.into_inner().map_err(csv::IntoInnerError::into_error)?;
        out.write_all(&bytes)
    }
}
