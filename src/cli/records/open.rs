//! Opens a table: finds out its format, and gives it the reader of that format.

use std::path::Path;

#[cfg(feature = "parquet")]
use super::arrow;
use super::inputs::{Input, Inputs};
use super::parts::Parts;
use super::source::Source;
use super::wanted::Wanted;
use super::{Columns, DialectArgs, Records, TableFormat, TableReader, Told};
use super::{array, csv, document, jsonl, sniff, texts};
use crate::cli::failure::Failure;

/// What is known of all files of an input before any is opened.
pub struct Opener {
    /// By name it is each file's own.
    pub told: Told,
    pub dialect: DialectArgs,
    pub wanted: Wanted,
}

/// A file, opened.
pub struct Opened {
    pub reader: Box<dyn TableReader>,
    pub columns: Columns,
    /// Bytes or rows, where they are known.
    pub extent: Option<u64>,
    /// Columns whose values are texts, whatever they look like.
    pub texts: Vec<String>,
    /// The column of the ids, if there is one.
    pub id_column: String,
}

impl Opener {
    /// Opens a file, or standard input if the path is `-`.
    pub fn open(&self, input: &Input) -> Result<Opened, Failure> {
        let (dialect, wanted) = (&self.dialect, &self.wanted);
        let told = Told { by_name: input.format, ..self.told };
        if told.asked.or(told.by_name) == Some(TableFormat::Document) {
            // Its content is read when it is its turn: among thousands of files one may be gone by then.
            must_be_separated(&input.path.display().to_string(), TableFormat::Document, dialect)?;
            let document = document::Document::new(&input.path, wanted)?;
            let names = document::COLUMNS.map(str::to_owned);
            let id = if wanted.id.1 { wanted.id.0.clone() } else { names[0].clone() };
            let columns = if wanted.rest { Columns::strings(&names) } else { Columns::None };
            let extent = std::fs::metadata(&input.path).ok().map(|found| found.len());
            let texts = [wanted.text.clone()].into_iter().chain(names).collect();
            let reader = Box::new(document);
            return Ok(Opened { reader, columns, extent, texts, id_column: id });
        }
        let source = Source::open(&input.path)?;
        let format = sniff::format(&source, told, &wanted.text)?;
        wanted.must_have_columns(format)?;
        must_be_separated(&source.name, format, dialect)?;
        #[cfg(feature = "parquet")]
        if let TableFormat::Parquet | TableFormat::Arrow = format {
            let bytes = source.bytes;
            let table = arrow::Batches::open(&input.path, source, format, wanted)?;
            let columns = if wanted.rest { Columns::Arrow(table.schema()) } else { Columns::None };
            let extent = table.rows().or(bytes);
            return Ok(Opened::new(Box::new(table), columns, extent, wanted));
        }
        open_text(source, format, dialect, wanted.clone())
    }
}

impl Opened {
    fn new(
        reader: Box<dyn TableReader>,
        columns: Columns,
        extent: Option<u64>,
        wanted: &Wanted,
    ) -> Opened {
        let texts = [Some(wanted.text.clone()), wanted.title.clone()].into_iter().flatten();
        let id_column = wanted.id.0.clone();
        Opened { reader, columns, extent, texts: texts.collect(), id_column }
    }
}

/// Refuses options of csv for another format.
fn must_be_separated(
    name: &str,
    format: TableFormat,
    dialect: &DialectArgs,
) -> Result<(), Failure> {
    match dialect.first_given() {
        Some(option) if !format.is_separated() => Err(Failure::Usage(format!(
            "--{option} is for csv and tsv, but {name} is {}",
            format.name()
        ))),
        _ => Ok(()),
    }
}

/// A table in a format of text.
fn open_text(
    source: Source,
    format: TableFormat,
    dialect: &DialectArgs,
    wanted: Wanted,
) -> Result<Opened, Failure> {
    let (extent, rest, name) = (source.bytes, wanted.rest, source.name.clone());
    let (reader, columns): (Box<dyn TableReader>, Columns) = match format {
        TableFormat::Lines => (
            Box::new(texts::Texts::new(source.into_reader(), name, rest)),
            Columns::strings(&["text".to_owned()]),
        ),
        TableFormat::Jsonl => {
            let lines = jsonl::Jsonl::new(source.into_reader(), name, wanted.clone());
            (Box::new(lines), Columns::Json(Vec::new()))
        }
        TableFormat::Json => {
            let array = array::Array::new(source.into_reader(), name, wanted.clone());
            (Box::new(array), Columns::Json(Vec::new()))
        }
        TableFormat::Csv | TableFormat::Tsv => {
            let delimiter = if format == TableFormat::Csv { b',' } else { b'\t' };
            let table = csv::Csv::new(source, dialect.dialect(delimiter), wanted.clone())?;
            let columns = Columns::strings(table.names());
            (Box::new(table), columns)
        }
        TableFormat::Document | TableFormat::Parquet | TableFormat::Arrow => {
            return Err(Failure::without_parquet());
        }
    };
    let columns = if rest { columns } else { Columns::None };
    Ok(Opened::new(reader, columns, extent, &wanted))
}

impl Records {
    /// Opens files, or standard input if there is one path and it is `-`.
    pub(super) fn open(inputs: &Inputs, opener: Opener) -> Result<Records, Failure> {
        Parts::open(inputs, opener).map(Records::new)
    }

    /// Texts of the command line.
    pub fn arguments(texts: Vec<String>) -> Records {
        let reader = Box::new(texts::Arguments(texts.into_iter()));
        Records::new(Opened::new(reader, Columns::None, None, &Wanted::text("text", false)))
    }

    /// The texts of a table, with the ids it may have. A command that cannot be told the column has `text`.
    pub fn texts(path: &Path, told: Told, column: Option<&str>) -> Result<Records, Failure> {
        let input = Input { path: path.to_owned(), format: told.by_name };
        let wanted = Wanted::text(column.unwrap_or("text"), column.is_some());
        let dialect = DialectArgs::default();
        Records::open(&Inputs(vec![input]), Opener { told, dialect, wanted })
    }

    /// The texts that a reader yields.
    #[cfg(test)]
    pub fn read(
        reader: Box<dyn std::io::Read + Send>,
        name: String,
        format: TableFormat,
    ) -> Result<Records, Failure> {
        let source = Source::new(reader, name)?;
        let told =
            Told { asked: Some(format), by_name: None, has_option: false, is_for_texts: true };
        sniff::format(&source, told, "text")?;
        let wanted = Wanted::text("text", false);
        open_text(source, format, &DialectArgs::default(), wanted).map(Records::new)
    }
}
