//! csv and tsv, with a line of names first.

use std::io::Read;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::{Fault, Fields, Id, Places, Row, TableReader, Wanted};
use crate::cli::failure::Failure;

pub struct Csv {
    reader: Reader<Box<dyn Read + Send>>,
    name: String,
    names: Vec<String>,
    places: Places,
    keep: bool,
    record: ByteRecord,
}

impl Csv {
    pub fn new(
        reader: Box<dyn Read + Send>,
        name: String,
        delimiter: u8,
        wanted: Wanted,
    ) -> Result<Csv, Failure> {
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).buffer_capacity(64 << 10).from_reader(reader);
        let names: Vec<String> = reader
            .headers()
            .map_err(|error| Failure::Failed(format!("{name}: {}", reason(&error))))?
            .iter()
            .map(str::to_owned)
            .collect();
        let places = wanted.places(&name, &names)?;
        let record = ByteRecord::new();
        Ok(Csv { reader, name, names, places, keep: wanted.rest, record })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn fields(&self) -> Result<Fields, String> {
        let field = |i: usize| {
            let bytes = self.record.get(i).unwrap_or_default();
            match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(_) => Err(format!("column {:?} is not valid UTF-8", self.names[i])),
            }
        };
        let row = match self.keep {
            true => Row::Strings((0..self.names.len()).map(field).collect::<Result<_, _>>()?),
            false => Row::None,
        };
        Ok(Fields {
            place: self.place(self.record.position().map_or(0, csv::Position::line)),
            text: field(self.places.text)?,
            id: self.places.id.map(field).transpose()?.map(Id::String),
            title: self.places.title.map(field).transpose()?,
            row,
        })
    }

    fn place(&self, line: u64) -> String {
        format!("{}, line {line}", self.name)
    }
}

impl TableReader for Csv {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let mut record = std::mem::take(&mut self.record);
        let read = self.reader.read_byte_record(&mut record);
        self.record = record;
        match read {
            Ok(false) => Ok(None),
            Ok(true) => self.fields().map(Some).map_err(|reason| {
                let line = self.record.position().map_or(0, csv::Position::line);
                Fault::Record { place: self.place(line), reason }
            }),
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths { pos, .. } => Err(Fault::Record {
                    place: self.place(pos.as_ref().map_or(0, csv::Position::line)),
                    reason: reason(&error),
                }),
                _ => Err(Fault::Input(Failure::Failed(format!(
                    "cannot read {}: {}",
                    self.name,
                    reason(&error)
                )))),
            },
        }
    }

    fn position(&self) -> u64 {
        self.reader.position().byte()
    }
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} values, but the first line names {expected_len} columns")
        }
        ErrorKind::Utf8 { .. } => "the names of the columns are not valid UTF-8".to_owned(),
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}
