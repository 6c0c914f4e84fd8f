//! Reads the records of a table in any format, one by one; every command reads its texts with it.

mod array;
#[cfg(feature = "parquet")]
mod arrow;
mod columns;
mod csv;
mod document;
mod format;
mod id;
mod inputs;
mod jsonl;
mod lines;
mod object;
mod open;
mod parts;
mod scalar;
mod sniff;
mod source;
mod table;
mod texts;
mod wanted;

use std::sync::Arc;

use monomorph::Prompt;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::chunk::{Chunker, Piece};
use super::failure::Failure;
use super::message;
use open::Opened;
use wanted::{Places, Wanted};

#[cfg(feature = "parquet")]
pub use arrow::{id_at, text_at};
use columns::Sample;
pub use columns::{Chunk, Columns, Row};
pub use csv::DialectArgs;
pub use document::text as text_of_file;
pub use format::TableFormat;
pub use id::{Found, Id};
pub use inputs::Inputs;
pub use jsonl::parse as parse_json;
pub use lines::{Fault, Lines};
#[cfg(feature = "parquet")]
pub use object::lossy;
#[cfg(feature = "parquet")]
pub use scalar::Kind;
pub use sniff::Told;
pub use table::TableArgs;

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
    /// The columns, if the output keeps them.
    pub row: Row,
    /// A hash of this record's text and all before it.
    pub digest: u64,
    /// Where it ends in the input, in the units of [`Records::extent`].
    pub position: u64,
}

impl Entry {
    /// Approximate memory of its text and its row.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.row.bytes()
    }
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
    pub id: Found,
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

/// A table, read record by record.
pub struct Records {
    format: Box<dyn TableReader>,
    /// Columns that the output keeps; those of a jsonl file are known after [`Records::learn_columns`].
    columns: Columns,
    /// Bytes or rows of the whole input, where they are known.
    pub extent: Option<u64>,
    /// The prompt of each text, where there is a column of titles.
    title: Option<Prompt>,
    /// Columns whose values are texts, whatever they look like; the first is that of the texts to embed.
    texts: Vec<String>,
    /// The column of the ids, if there is one.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub id_column: String,
    /// What cuts texts into chunks, and the text that is being cut.
    chunker: Option<Chunking>,
    ahead: std::collections::VecDeque<Result<Fields, Fault>>,
    /// Whether white space at the ends of texts is left out.
    trims: bool,
    /// Whether to warn of an id that is none, once.
    warns: bool,
    index: u64,
    bad: u64,
    digest: u64,
}

/// How texts are cut, and what is left of the last one.
struct Chunking {
    chunker: Chunker,
    /// What goes before each text, unless titles do.
    prefix: String,
    cut: Option<Cut>,
}

/// A record whose text has been cut.
struct Cut {
    fields: Fields,
    kept: Arc<Row>,
    pieces: std::iter::Enumerate<std::vec::IntoIter<Piece>>,
}

impl Records {
    fn new(opened: Opened) -> Records {
        let Opened { reader: format, columns, extent, texts, id_column } = opened;
        Records {
            format,
            columns,
            extent,
            title: None,
            texts,
            id_column,
            chunker: None,
            ahead: Default::default(),
            trims: false,
            warns: true,
            index: 0,
            bad: 0,
            digest: 0,
        }
    }

    /// Cuts each text into chunks, which are records of their own. `prefix` is what goes before each of them, unless
    /// titles do.
    pub fn chunked(mut self, chunker: Option<Chunker>, prefix: Option<&str>) -> Records {
        let prefix = prefix.unwrap_or_default().to_owned();
        self.chunker = chunker.map(|chunker| Chunking { chunker, prefix, cut: None });
        self
    }

    /// Leaves out white space at both ends of each text, if that was asked for.
    pub fn trimmed(mut self, trims: bool) -> Records {
        self.trims = trims;
        self
    }

    /// The columns of the output besides the vectors.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    pub fn columns(&self) -> Columns {
        let kept = self.columns.clone();
        match (&self.chunker, self.texts.first()) {
            (Some(_), Some(text)) => Columns::Chunks { kept: Box::new(kept), text: text.clone() },
            _ => kept,
        }
    }

    /// Learns the types of the columns that the output keeps: from all records of the same table, opened once more, or
    /// from the first ones, which [`Records::next`] still returns.
    pub fn learn_columns(&mut self, again: Option<Records>) -> Result<(), Failure> {
        let is_text = |(name, _): &(String, _)| self.texts.contains(name);
        if matches!(&self.columns, Columns::Strings(columns) if columns.iter().all(is_text)) {
            return Ok(());
        }
        let mut sample = Sample::default();
        match (&self.columns, again) {
            (Columns::Json(_) | Columns::Strings(_), Some(mut again)) => loop {
                match again.format.next() {
                    Ok(Some(fields)) => sample.add(&fields.row, &self.columns),
                    Ok(None) => break,
                    // It will be reported where the record is to be embedded.
                    Err(Fault::Record { .. }) => {}
                    Err(Fault::Input(failure)) => return Err(failure),
                }
            },
            (Columns::Json(_), None) => {
                while self.ahead.len() < SAMPLE {
                    match self.format.next() {
                        Ok(Some(fields)) => {
                            sample.add(&fields.row, &self.columns);
                            self.ahead.push_back(Ok(fields));
                        }
                        Ok(None) => break,
                        Err(Fault::Input(failure)) => return Err(failure),
                        Err(fault) => self.ahead.push_back(Err(fault)),
                    }
                }
            }
            // Columns of text hold whatever a pipe brings.
            _ => return Ok(()),
        }
        let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        self.columns = sample.columns(&self.columns, &texts);
        Ok(())
    }

    /// Reads without a word about ids, because the same table is read with it elsewhere.
    pub fn quiet(mut self) -> Records {
        self.warns = false;
        self
    }

    /// The next record, or the next chunk of one. Bad records count in the index, too.
    pub fn next(&mut self) -> Result<Option<Entry>, Fault> {
        if let Some(fields) = self.next_chunk() {
            self.index += 1;
            return Ok(Some(self.entry(fields)));
        }
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
            Ok(Some(fields)) if self.chunker.is_some() => {
                self.cut(fields);
                self.next()
            }
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

    /// Cuts a record's text.
    fn cut(&mut self, mut fields: Fields) {
        let titled = self.prefix_of(&fields);
        let kept = std::mem::replace(&mut fields.row, Row::None);
        if let Some(chunking) = &mut self.chunker {
            let prefix = titled.as_deref().unwrap_or(&chunking.prefix);
            let pieces = chunking.chunker.cut(prefix, &fields.text);
            let pieces = pieces.into_iter().enumerate();
            chunking.cut = Some(Cut { fields, kept: Arc::new(kept), pieces });
        }
    }

    /// The next chunk of the text that is being cut.
    fn next_chunk(&mut self) -> Option<Fields> {
        let chunking = self.chunker.as_mut()?;
        let Cut { fields, kept, pieces } = chunking.cut.as_mut()?;
        let Some((number, piece)) = pieces.next() else {
            chunking.cut = None;
            return None;
        };
        let text = fields.text[piece.range.clone()].to_owned();
        let chunk = Chunk {
            number: number as u64,
            bytes: [piece.range.start, piece.range.end].map(|at| at as u64),
            heading: piece.heading,
        };
        Some(Fields {
            place: format!("{}, chunk {}", fields.place, number + 1),
            text: text.clone(),
            id: fields.id.clone(),
            title: fields.title.clone(),
            row: Row::Chunk { kept: kept.clone(), text, chunk },
        })
    }

    /// The prompt of a record where there is a column of titles.
    fn prefix_of(&self, fields: &Fields) -> Option<String> {
        let title = fields.title.as_deref().filter(|title| !title.trim().is_empty());
        self.title.map(|prompt| prompt.prefix(title).into_owned())
    }

    fn entry(&mut self, fields: Fields) -> Entry {
        let prefix = self.prefix_of(&fields);
        let (mut text, mut row) = (fields.text, fields.row);
        let is_trimmed = self.trims && text.trim().len() < text.len();
        if is_trimmed || prefix.is_some() {
            // The table keeps what it has.
            row.fill(text.clone());
        }
        if is_trimmed {
            text = text.trim().to_owned();
        }
        if let (Some(chunking), Row::Chunk { chunk, .. }) = (&self.chunker, &row) {
            text = chunking.chunker.in_context(chunk.heading.as_deref(), &text);
        }
        if let Some(prefix) = prefix {
            text.insert_str(0, &prefix);
        }
        let id = match fields.id {
            Found::Id(id) => Some(id),
            Found::None => None,
            Found::Other(other) => {
                if std::mem::take(&mut self.warns) {
                    message::warning(format_args!(
                        "{}: its id is {other}, neither a string nor a 64-bit integer; such ids are left out",
                        fields.place
                    ));
                }
                None
            }
        };
        let name = id.as_ref().map(Id::to_string).unwrap_or_default();
        self.digest = xxh3_64_with_seed(text.as_bytes(), self.digest);
        self.digest = xxh3_64_with_seed(name.as_bytes(), self.digest);
        Entry {
            index: self.index - 1,
            place: fields.place,
            text,
            id,
            row,
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
