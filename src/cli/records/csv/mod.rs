//! csv and tsv, with a line of names first unless there is none.

mod dialect;
mod reader;
mod watch;

use std::io::Read;

use super::lines::BYTE_ORDER_MARK;
use super::source::Source;
use super::{Fault, Fields, Found, Id, Places, Row, TableReader, Wanted};
use crate::cli::failure::Failure;
use crate::cli::message::counted;
pub use dialect::{Dialect, DialectArgs};
use reader::Reader;
use watch::{Watch, Wrong};

pub struct Csv {
    reader: Reader,
    name: String,
    names: Vec<String>,
    places: Places,
    /// Whether the command has the options of the dialect.
    has_option: bool,
    keep: bool,
    /// Whether the record that has been read is the first one, which has no names before it.
    is_read: bool,
    /// The line where the record begins.
    line: u64,
}

impl Csv {
    pub fn new(source: Source, mut dialect: Dialect, wanted: Wanted) -> Result<Csv, Failure> {
        let name = source.name.clone();
        let (skip, said) = opening(&source.start);
        if let (Some(delimiter), false) = (said, dialect.is_told) {
            (dialect.delimiter, dialect.is_told) = (delimiter, true);
        }
        let mut input = source.into_reader();
        std::io::copy(&mut input.by_ref().take(skip), &mut std::io::sink())
            .map_err(|error| Failure::reading(&name, &error))?;
        let first_line = if said.is_some() { 2 } else { 1 };
        let mut reader = Reader::new(Watch::new(input, dialect, first_line), dialect);
        let is_there = reader.next();
        let end = reader.position();
        if let Some(fault) = reader.watch().fault_before(end) {
            return Err(Failure::Failed(wrong(&name, fault, wanted.has_option)));
        }
        let is_there = is_there.map_err(|error| Failure::reading(&name, &error))?;
        let first: Result<Vec<String>, _> =
            (0..reader.len()).map(|i| String::from_utf8(reader.value(i).to_vec())).collect();
        let first = first.map_err(|_| {
            Failure::Failed(format!("{name}: the names of the columns are not valid UTF-8"))
        })?;
        if first.is_empty() && dialect.has_names {
            let expected = "it should begin with a line of column names";
            return Err(Failure::Failed(format!("{name} is empty; {expected}")));
        }
        let is_read = is_there && !dialect.has_names;
        let line = reader.watch().line_of(0);
        let names = match dialect.has_names {
            true => first,
            false => (1..=first.len()).map(|number| number.to_string()).collect(),
        };
        let places = match names.is_empty() {
            // Nothing at all, without a line of names: no records.
            true => Places { text: 0, id: None, title: None },
            false => wanted.places(&name, &names, || hint(&names, dialect))?,
        };
        Ok(Csv {
            reader,
            name,
            names,
            places,
            has_option: wanted.has_option,
            keep: wanted.rest,
            is_read,
            line,
        })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn fields(&mut self) -> Result<Fields, String> {
        let (found, expected) = (self.reader.len(), self.names.len());
        if found != expected {
            let (values, columns) =
                (counted(found as u64, "value"), counted(expected as u64, "column"));
            return Err(format!("{values}, but the first line names {columns}"));
        }
        let names = &self.names;
        let text = |bytes: Vec<u8>, i: usize| {
            String::from_utf8(bytes)
                .map_err(|_| format!("column {:?} is not valid UTF-8", names[i]))
        };
        let field = |i: usize| text(self.reader.value(i).to_vec(), i);
        let id = self.places.id.map(field).transpose()?;
        let title = self.places.title.map(field).transpose()?;
        let place = self.place();
        let at = self.places.text;
        let (value, row) = match self.keep {
            true => {
                let count = self.names.len();
                // A copy of it may count.
                let longest = (0..count).max_by_key(|i| self.reader.value(*i).len()).unwrap_or(at);
                let others = |i: usize| if i == longest { Ok(String::new()) } else { field(i) };
                let mut values = (0..count).map(others).collect::<Result<Vec<_>, _>>()?;
                values[longest] = text(self.reader.take(longest), longest)?;
                (std::mem::take(&mut values[at]), Row::Strings { values, gap: Some(at) })
            }
            false => (text(self.reader.take(at), at)?, Row::None),
        };
        Ok(Fields {
            place,
            text: value,
            id: id.map_or(Found::None, |id| Found::Id(Id::String(id))),
            title,
            row,
        })
    }

    fn place(&self) -> String {
        format!("{}, line {}", self.name, self.line)
    }
}

impl TableReader for Csv {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let read = match std::mem::take(&mut self.is_read) {
            true => Ok(true),
            false => {
                let start = self.reader.position();
                let read = self.reader.next();
                self.line = self.reader.watch().line_of(start);
                read
            }
        };
        let end = self.reader.position();
        if let Some(fault) = self.reader.watch().fault_before(end) {
            let message = wrong(&self.name, fault, self.has_option);
            return Err(Fault::Input(Failure::Failed(message)));
        }
        match read {
            Ok(false) => Ok(None),
            Ok(true) => self
                .fields()
                .map(Some)
                .map_err(|reason| Fault::Record { place: self.place(), reason }),
            Err(error) => Err(Fault::Input(Failure::reading(&self.name, &error))),
        }
    }

    fn position(&self) -> u64 {
        self.reader.position()
    }
}

/// Bytes before the table, and the delimiter that they say: a byte order mark, and the line `sep=;` of Excel.
fn opening(start: &[u8]) -> (u64, Option<u8>) {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let mark = start.len() - text.len();
    let (length, said) = match text {
        [b's', b'e', b'p', b'=', delimiter, b'\n', ..] => (6, Some(*delimiter)),
        [b's', b'e', b'p', b'=', delimiter, b'\r', b'\n', ..] => (7, Some(*delimiter)),
        _ => (0, None),
    };
    ((mark + length) as u64, said)
}

/// What to do about names without the wanted one.
fn hint(names: &[String], dialect: Dialect) -> Option<String> {
    if !dialect.has_names {
        return Some("--column 2 would name the second one".to_owned());
    }
    if let (false, Some(other)) = (dialect.is_told, other_delimiter(names, dialect.delimiter)) {
        return Some(format!("the delimiter seems to be {other:?}, which --delimiter sets"));
    }
    let is_value = |name: &String| name.len() > 40 || name.parse::<f64>().is_ok();
    names.iter().any(is_value).then(|| {
        "--no-header reads a table without names, and --column 2 its second column".to_owned()
    })
}

/// What separates the names where they are read as one.
fn other_delimiter(names: &[String], delimiter: u8) -> Option<char> {
    let [line] = names else { return None };
    let others = [',', ';', '\t', '|'].into_iter().filter(|other| *other != char::from(delimiter));
    others.max_by_key(|other| line.matches(*other).count()).filter(|other| line.contains(*other))
}

/// The message of values that cannot be told apart.
fn wrong(name: &str, fault: watch::Fault, has_option: bool) -> String {
    let what = match fault.wrong {
        Wrong::Unclosed => "the quote that opens here is never closed",
        Wrong::Torn => "more follows the closing quote of the value that begins here",
        Wrong::Spans => "the quote that opens here goes over several lines, which is rare in tsv",
        Wrong::Long => "the value that begins here is longer than 256 MiB",
    };
    let hint = match fault.wrong {
        Wrong::Long => "",
        _ if !has_option => "",
        Wrong::Spans => {
            "; --quote none reads quotes as they are, --quote double as enclosing a value"
        }
        _ => "; mend it, or give --quote none if quotes are characters like any other here",
    };
    format!("{name}, line {}: {what}{hint}", fault.line)
}
