//! Records of a table, one after another, whatever the file's format: what `batch` reads.

#[cfg(feature = "parquet")]
mod arrow;
mod csv;
mod fields;
mod jsonl;
mod lines;
mod table;

use std::io::{Cursor, Read};
use std::path::Path;

use monomorph::Prompt;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::failure::Failure;
use super::input::{self, Fault, Id};

#[cfg(feature = "parquet")]
pub use arrow::{id_at, text_at};
#[cfg(feature = "parquet")]
pub use fields::Kind;
pub use fields::{Columns, Row};
pub use table::{TableArgs, TableFormat};

/// Records that a table's columns are read from before any is embedded: its fields' names and types are theirs.
const SAMPLE: usize = 1000;

/// One record of the input.
#[derive(Debug)]
pub struct Entry {
    /// Position in the input, from 0; bad records count.
    pub index: u64,
    /// Where messages find it.
    pub place: String,
    /// With the title before it, where there is a column of titles.
    pub text: String,
    pub id: Option<Id>,
    /// What else the record holds, if the output keeps it.
    pub row: Row,
    /// A hash of this record's text and all before it.
    pub digest: u64,
    /// How far into the input it ends, in the units of [`Records::extent`].
    pub position: u64,
}

impl AsRef<str> for Entry {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// What a record of any format has.
pub struct Fields {
    pub place: String,
    pub text: String,
    pub id: Option<Id>,
    pub title: Option<String>,
    pub row: Row,
}

/// A format. After [`Fault::Record`] the next record can be read.
trait Format: Send {
    fn next(&mut self) -> Result<Option<Fields>, Fault>;
    /// How far it has come.
    fn position(&self) -> u64;
}

/// Names of the columns that are read.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub text: String,
    /// And whether a table without it is refused.
    pub id: (String, bool),
    pub title: Option<String>,
    /// Whether all the others are wanted, too.
    pub rest: bool,
}

/// Where the wanted columns of a table are.
struct Places {
    text: usize,
    id: Option<usize>,
    title: Option<usize>,
}

impl Wanted {
    /// Their places among a table's names.
    fn places(&self, file: &str, names: &[String]) -> Result<Places, Failure> {
        let find = |column: &str| names.iter().position(|known| known == column);
        let must = |column: &str| {
            find(column).ok_or_else(|| {
                let names = names.join(", ");
                Failure::Failed(format!("{file}: no column {column:?}; it has {names}"))
            })
        };
        let (id, asked) = &self.id;
        Ok(Places {
            text: must(&self.text)?,
            id: if *asked { Some(must(id)?) } else { find(id) },
            title: self.title.as_deref().map(must).transpose()?,
        })
    }
}

/// A table that is being read.
pub struct Records {
    format: Box<dyn Format>,
    /// Columns that the output keeps; those of a jsonl file are known after [`Records::sample`].
    pub columns: Columns,
    /// Bytes or rows of the whole input, where they are known.
    pub extent: Option<u64>,
    /// What stands before each title and text, where there is a column of titles.
    title: Option<Prompt>,
    ahead: std::collections::VecDeque<Result<Fields, Fault>>,
    index: u64,
    bad: u64,
    digest: u64,
}

impl Records {
    fn open(path: &Path, format: TableFormat, wanted: Wanted) -> Result<Records, Failure> {
        let bytes = std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|f| f.len());
        let new = |format: Box<dyn Format>, columns| Records {
            format,
            columns,
            extent: bytes,
            title: None,
            ahead: Default::default(),
            index: 0,
            bad: 0,
            digest: 0,
        };
        match format {
            TableFormat::Lines => {
                let (reader, name) = open_text(path)?;
                let columns = if wanted.rest { Columns::texts() } else { Columns::None };
                Ok(new(Box::new(lines::Texts::new(reader, name, wanted.rest)), columns))
            }
            TableFormat::Jsonl => {
                let (reader, name) = open_text(path)?;
                let columns = if wanted.rest { Columns::Json(Vec::new()) } else { Columns::None };
                Ok(new(Box::new(jsonl::Jsonl::new(reader, name, wanted)), columns))
            }
            TableFormat::Csv | TableFormat::Tsv => {
                let (reader, name) = open_text(path)?;
                let delimiter = if format == TableFormat::Csv { b',' } else { b'\t' };
                let rest = wanted.rest;
                let table = csv::Csv::new(reader, name, delimiter, wanted)?;
                let columns =
                    if rest { Columns::Strings(table.names().to_vec()) } else { Columns::None };
                Ok(new(Box::new(table), columns))
            }
            #[cfg(feature = "parquet")]
            TableFormat::Parquet | TableFormat::Arrow => {
                let rest = wanted.rest;
                let table = arrow::Batches::open(path, format, &wanted)?;
                let columns = if rest { Columns::Arrow(table.schema()) } else { Columns::None };
                let extent = table.rows().or(bytes);
                Ok(Records { extent, ..new(Box::new(table), columns) })
            }
            #[cfg(not(feature = "parquet"))]
            TableFormat::Parquet | TableFormat::Arrow => Err(Failure::Usage(
                "this binary was built without Parquet and Arrow; build it with --features parquet"
                    .into(),
            )),
        }
    }

    /// Reads the first records to learn their columns; they come again.
    pub fn sample(&mut self) -> Result<(), Failure> {
        let Columns::Json(_) = self.columns else { return Ok(()) };
        while self.ahead.len() < SAMPLE {
            match self.format.next() {
                Ok(Some(fields)) => self.ahead.push_back(Ok(fields)),
                Ok(None) => break,
                Err(Fault::Input(failure)) => return Err(failure),
                Err(fault) => self.ahead.push_back(Err(fault)),
            }
        }
        let rows = self.ahead.iter().filter_map(|record| Some(&record.as_ref().ok()?.row));
        self.columns = Columns::of_json(rows);
        Ok(())
    }

    /// The next record. The number of a bad one counts, too.
    pub fn next(&mut self) -> Result<Option<Entry>, Fault> {
        let next = match self.ahead.pop_front() {
            Some(next) => next.map(Some),
            None => self.format.next(),
        };
        let checked = next.and_then(|fields| match fields {
            Some(fields) => match self.columns.check(&fields.row) {
                Ok(()) => Ok(Some(fields)),
                Err(reason) => Err(Fault::Record { place: fields.place, reason }),
            },
            None => Ok(None),
        });
        match checked {
            Ok(None) => Ok(None),
            Ok(Some(fields)) => {
                self.index += 1;
                Ok(Some(self.entry(fields)))
            }
            Err(fault) => {
                self.index += 1;
                self.bad += 1;
                Err(fault)
            }
        }
    }

    fn entry(&mut self, fields: Fields) -> Entry {
        let text = match self.title {
            Some(prompt) => prompt.prefix(fields.title.as_deref()).into_owned() + &fields.text,
            None => fields.text,
        };
        let id = fields.id.as_ref().map(Id::to_string).unwrap_or_default();
        self.digest = xxh3_64_with_seed(text.as_bytes(), self.digest);
        self.digest = xxh3_64_with_seed(id.as_bytes(), self.digest);
        Entry {
            index: self.index - 1,
            place: fields.place,
            text,
            id: fields.id,
            row: fields.row,
            digest: self.digest,
            position: self.format.position(),
        }
    }

    /// Passes over records, good and bad, up to position `end` from 0. The digest of all before it; none if there are
    /// not so many.
    pub fn skip_to(&mut self, end: u64) -> Result<Option<u64>, Failure> {
        while self.index < end {
            match self.next() {
                Ok(None) => return Ok(None),
                Err(Fault::Input(failure)) => return Err(failure),
                Ok(Some(_)) | Err(Fault::Record { .. }) => {}
            }
        }
        Ok(Some(self.digest))
    }

    /// The texts of a table of any format, with the ids it may have.
    pub fn texts(path: &Path, column: &str) -> Result<Records, Failure> {
        let id = ("id".to_owned(), false);
        let wanted = Wanted { text: column.to_owned(), id, title: None, rest: false };
        Records::open(path, TableFormat::of(path), wanted)
    }

    /// Number of records that could not be read so far.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// A hash of all texts so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How far it has come, in the units of [`Records::extent`].
    pub fn position(&self) -> u64 {
        self.format.position()
    }

    /// Number of records read so far, bad ones too.
    pub fn index(&self) -> u64 {
        self.index
    }
}

/// Opens a file of text; UTF-16 is refused by name before a format makes nonsense of it.
fn open_text(path: &Path) -> Result<(Box<dyn Read + Send>, String), Failure> {
    let (mut reader, name) = input::open(path)?;
    let mut start = Vec::new();
    let read = reader.by_ref().take(2).read_to_end(&mut start);
    read.map_err(|error| Failure::reading(&name, &error))?;
    if let Some(hint) = input::utf16_hint(&start) {
        return Err(Failure::Failed(format!("{name}: not UTF-8{hint}")));
    }
    Ok((Box::new(Cursor::new(start).chain(reader)), name))
}
