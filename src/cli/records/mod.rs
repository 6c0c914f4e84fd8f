//! Reads the records of a table in any format, one by one; every command reads its texts with it.

#[cfg(feature = "parquet")]
mod arrow;
mod csv;
mod fields;
mod id;
mod jsonl;
mod lines;
mod table;
mod texts;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use monomorph::Prompt;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::failure::Failure;

#[cfg(feature = "parquet")]
pub use arrow::{id_at, text_at};
#[cfg(feature = "parquet")]
pub use fields::Kind;
pub use fields::{Columns, Row};
pub use id::Id;
pub use jsonl::parse as parse_json;
pub use lines::{Fault, Lines};
pub use table::{TableArgs, TableFormat};

/// The first records of a table, from which the names and types of its columns are read before any is embedded.
const SAMPLE: usize = 1000;

/// One record of the input.
#[derive(Debug)]
pub struct Entry {
    /// Position in the input, from 0, bad records included.
    pub index: u64,
    /// What messages call it: the file and the line or row.
    pub place: String,
    /// The text, with its title before it where there is a column of titles.
    pub text: String,
    pub id: Option<Id>,
    /// The other columns, if the output keeps them.
    pub row: Row,
    /// A hash of this record's text and all before it.
    pub digest: u64,
    /// Where it ends in the input, in the units of [`Records::extent`].
    pub position: u64,
}

impl AsRef<str> for Entry {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// A record, as a format reads it.
pub struct Fields {
    pub place: String,
    pub text: String,
    pub id: Option<Id>,
    pub title: Option<String>,
    pub row: Row,
}

/// A format, read. After [`Fault::Record`] the next record can be read.
trait TableReader: Send {
    fn next(&mut self) -> Result<Option<Fields>, Fault>;

    /// Bytes or rows read so far.
    fn position(&self) -> u64;

    /// Whether reading the next record may block.
    fn is_drained(&self) -> bool {
        false
    }
}

/// Names of the columns to read.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub text: String,
    /// Whether the command has the option that names it, for messages.
    pub has_option: bool,
    /// The column of ids, and whether a table without it is refused.
    pub id: (String, bool),
    pub title: Option<String>,
    /// Whether to keep all the other columns, too.
    pub rest: bool,
}

/// Indices of the wanted columns.
struct Places {
    text: usize,
    id: Option<usize>,
    title: Option<usize>,
}

impl Wanted {
    /// The texts of this column, and the ids of a column of that name.
    fn text(column: &str) -> Wanted {
        let id = ("id".to_owned(), false);
        Wanted { text: column.to_owned(), has_option: false, id, title: None, rest: false }
    }

    /// Finds them among a table's column names.
    fn places(&self, file: &str, names: &[String]) -> Result<Places, Failure> {
        let find = |column: &str| names.iter().position(|known| known == column);
        let must = |column: &str| {
            find(column).ok_or_else(|| {
                let names = names.join(", ");
                let hint = match self.has_option && column == self.text {
                    true => " (--column names the one of the texts)",
                    false => "",
                };
                Failure::Failed(match &names[..] {
                    "" => format!("{file} is empty; it should begin with a line of column names"),
                    names => format!("{file}: no column {column:?}; it has {names}{hint}"),
                })
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

/// A table, read record by record.
pub struct Records {
    format: Box<dyn TableReader>,
    /// Columns that the output keeps; those of a jsonl file are known after [`Records::sample`].
    pub columns: Columns,
    /// Bytes or rows of the whole input, where they are known.
    pub extent: Option<u64>,
    /// The prompt of each text, where there is a column of titles.
    title: Option<Prompt>,
    ahead: std::collections::VecDeque<Result<Fields, Fault>>,
    index: u64,
    bad: u64,
    digest: u64,
}

impl Records {
    fn new(format: Box<dyn TableReader>, columns: Columns, extent: Option<u64>) -> Records {
        let ahead = Default::default();
        Records { format, columns, extent, title: None, ahead, index: 0, bad: 0, digest: 0 }
    }

    fn open(path: &Path, format: TableFormat, wanted: Wanted) -> Result<Records, Failure> {
        let bytes = std::fs::metadata(path).ok().filter(|file| file.is_file()).map(|f| f.len());
        #[cfg(feature = "parquet")]
        if let TableFormat::Parquet | TableFormat::Arrow = format {
            let rest = wanted.rest;
            let table = arrow::Batches::open(path, format, &wanted)?;
            let columns = if rest { Columns::Arrow(table.schema()) } else { Columns::None };
            let extent = table.rows().or(bytes);
            return Ok(Records::new(Box::new(table), columns, extent));
        }
        let (reader, name) = open(path)?;
        Records::of_text(reader, name, format, wanted, bytes)
    }

    /// A table in a format of text; UTF-16 is refused with a clear message before a format misreads it.
    fn of_text(
        reader: Box<dyn Read + Send>,
        name: String,
        format: TableFormat,
        wanted: Wanted,
        extent: Option<u64>,
    ) -> Result<Records, Failure> {
        // As large as the buffer of the lines, which then takes all of it at once.
        let mut reader = Box::new(BufReader::with_capacity(lines::BUFFER_BYTES, reader));
        let start = reader.fill_buf().map_err(|error| Failure::reading(&name, &error))?;
        if let Some(hint) = lines::utf16_hint(start) {
            return Err(Failure::Failed(format!("{name}: not UTF-8{hint}")));
        }
        let rest = wanted.rest;
        let (format, columns): (Box<dyn TableReader>, Columns) = match format {
            TableFormat::Lines => {
                (Box::new(texts::Texts::new(reader, name, rest)), Columns::texts())
            }
            TableFormat::Jsonl => {
                (Box::new(jsonl::Jsonl::new(reader, name, wanted)), Columns::Json(Vec::new()))
            }
            TableFormat::Csv | TableFormat::Tsv => {
                let delimiter = if format == TableFormat::Csv { b',' } else { b'\t' };
                let table = csv::Csv::new(reader, name, delimiter, wanted)?;
                let columns = Columns::Strings(table.names().to_vec());
                (Box::new(table), columns)
            }
            TableFormat::Parquet | TableFormat::Arrow => {
                return Err(Failure::without_parquet());
            }
        };
        Ok(Records::new(format, if rest { columns } else { Columns::None }, extent))
    }

    /// Texts of the command line.
    pub fn arguments(texts: Vec<String>) -> Records {
        Records::new(Box::new(texts::Arguments(texts.into_iter())), Columns::None, None)
    }

    /// The texts of a table, with the ids it may have.
    pub fn texts(path: &Path, format: TableFormat, column: &str) -> Result<Records, Failure> {
        Records::open(path, format, Wanted::text(column))
    }

    /// The texts that a reader yields.
    #[cfg(test)]
    pub fn read(
        reader: Box<dyn Read + Send>,
        name: String,
        format: TableFormat,
    ) -> Result<Records, Failure> {
        Records::of_text(reader, name, format, Wanted::text("text"), None)
    }

    /// Reads the first records to learn their columns; [`Records::next`] still returns them.
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

    /// The next record. Bad ones count in the index, too.
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

    /// Skips records, good and bad, up to index `end`. Returns the digest of all before it, or none if there are fewer.
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

    /// Number of bad records so far.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// A hash of all texts so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether reading the next record may block.
    pub fn is_drained(&self) -> bool {
        self.ahead.is_empty() && self.format.is_drained()
    }

    /// How much has been read, in the units of [`Records::extent`].
    pub fn position(&self) -> u64 {
        self.format.position()
    }

    /// Number of records read so far, bad ones included.
    pub fn index(&self) -> u64 {
        self.index
    }
}

/// Opens a file, or standard input if the path is `-`, and returns its name for messages.
fn open(path: &Path) -> Result<(Box<dyn Read + Send>, String), Failure> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), "standard input".to_owned()));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::reading(&name, &error))?;
    Ok((Box::new(file), name))
}
