//! csv and tsv, with a line of names first.

use std::collections::VecDeque;
use std::io::{self, Read};

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder};

use super::{Fault, Fields, Id, Places, Row, TableReader, Wanted};
use crate::cli::failure::Failure;
use crate::cli::message::counted;

pub struct Csv {
    reader: Reader<Lines>,
    name: String,
    names: Vec<String>,
    places: Places,
    keep: bool,
    record: ByteRecord,
    /// The line where the record begins.
    line: u64,
}

impl Csv {
    pub fn new(
        reader: Box<dyn Read + Send>,
        name: String,
        delimiter: u8,
        wanted: Wanted,
    ) -> Result<Csv, Failure> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .buffer_capacity(64 << 10)
            .from_reader(Lines::new(reader));
        let names: Vec<String> = reader
            .headers()
            .map_err(|error| Failure::Failed(format!("{name}: {}", reason(&error))))?
            .iter()
            .map(str::to_owned)
            .collect();
        let places = wanted.places(&name, &names)?;
        let record = ByteRecord::new();
        Ok(Csv { reader, name, names, places, keep: wanted.rest, record, line: 1 })
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
            place: self.place(),
            text: field(self.places.text)?,
            id: self.places.id.map(field).transpose()?.map(Id::String),
            title: self.places.title.map(field).transpose()?,
            row,
        })
    }

    fn place(&self) -> String {
        format!("{}, line {}", self.name, self.line)
    }
}

impl TableReader for Csv {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let mut record = std::mem::take(&mut self.record);
        let start = self.reader.position().byte();
        let read = self.reader.read_byte_record(&mut record);
        self.record = record;
        self.line = self.reader.get_mut().line_of(start);
        match read {
            Ok(false) => Ok(None),
            Ok(true) => self
                .fields()
                .map(Some)
                .map_err(|reason| Fault::Record { place: self.place(), reason }),
            Err(error) => match error.kind() {
                ErrorKind::UnequalLengths { .. } => {
                    Err(Fault::Record { place: self.place(), reason: reason(&error) })
                }
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

/// The input, with the places where its lines end: the reader of records counts a line feed that follows a carriage
/// return, and blank lines, only with the record after them.
struct Lines {
    input: Box<dyn Read + Send>,
    /// Bytes read.
    read: u64,
    /// Whether the line that is being read is blank so far.
    is_blank: bool,
    /// The ends of lines after those that are counted, and whether the line before is blank.
    ends: VecDeque<(u64, bool)>,
    counted: u64,
}

impl Lines {
    fn new(input: Box<dyn Read + Send>) -> Lines {
        Lines { input, read: 0, is_blank: true, ends: VecDeque::new(), counted: 0 }
    }

    /// The line, from 1, of the record that was searched for from this byte on.
    fn line_of(&mut self, start: u64) -> u64 {
        while self.ends.pop_front_if(|&mut (end, is_blank)| end <= start || is_blank).is_some() {
            self.counted += 1;
        }
        self.counted + 1
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buffer)?;
        for (at, byte) in (self.read..).zip(&buffer[..n]) {
            match byte {
                b'\n' => {
                    self.ends.push_back((at, self.is_blank));
                    self.is_blank = true;
                }
                b'\r' => {}
                _ => self.is_blank = false,
            }
        }
        self.read += n as u64;
        Ok(n)
    }
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let (values, columns) = (counted(*len, "value"), counted(*expected_len, "column"));
            format!("{values}, but the first line names {columns}")
        }
        ErrorKind::Utf8 { .. } => "the names of the columns are not valid UTF-8".to_owned(),
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}
