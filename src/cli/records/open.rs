//! Opens a table: finds out its format, and gives it the reader of that format.

use std::path::Path;

#[cfg(feature = "parquet")]
use super::arrow;
use super::source::Source;
use super::wanted::Wanted;
use super::{Columns, DialectArgs, Records, TableFormat, TableReader, Told};
use super::{array, csv, jsonl, sniff, texts};
use crate::cli::failure::Failure;

impl Records {
    /// Opens a file, or standard input if the path is `-`.
    pub(super) fn open(
        path: &Path,
        told: Told,
        dialect: &DialectArgs,
        wanted: Wanted,
    ) -> Result<Records, Failure> {
        let source = Source::open(path)?;
        let format = sniff::format(&source, told, &wanted.text)?;
        wanted.must_have_columns(format)?;
        if let (Some(option), false) = (dialect.first_given(), format.is_separated()) {
            return Err(Failure::Usage(format!(
                "--{option} is for csv and tsv, but {} is {}",
                source.name,
                format.name()
            )));
        }
        #[cfg(feature = "parquet")]
        if let TableFormat::Parquet | TableFormat::Arrow = format {
            let bytes = source.bytes;
            let rest = wanted.rest;
            let table = arrow::Batches::open(path, source, format, &wanted)?;
            let columns = if rest { Columns::Arrow(table.schema()) } else { Columns::None };
            let extent = table.rows().or(bytes);
            return Ok(Records::new(Box::new(table), columns, extent));
        }
        Records::of_text(source, format, dialect, wanted)
    }

    /// A table in a format of text.
    fn of_text(
        source: Source,
        format: TableFormat,
        dialect: &DialectArgs,
        wanted: Wanted,
    ) -> Result<Records, Failure> {
        let (extent, rest) = (source.bytes, wanted.rest);
        let texts = [Some(wanted.text.clone()), wanted.title.clone()].into_iter().flatten();
        let texts = texts.collect();
        let name = source.name.clone();
        let (format, columns): (Box<dyn TableReader>, Columns) = match format {
            TableFormat::Lines => (
                Box::new(texts::Texts::new(source.into_reader(), name, rest)),
                Columns::strings(&["text".to_owned()]),
            ),
            TableFormat::Jsonl => {
                let lines = jsonl::Jsonl::new(source.into_reader(), name, wanted);
                (Box::new(lines), Columns::Json(Vec::new()))
            }
            TableFormat::Json => {
                let array = array::Array::new(source.into_reader(), name, wanted);
                (Box::new(array), Columns::Json(Vec::new()))
            }
            TableFormat::Csv | TableFormat::Tsv => {
                let delimiter = if format == TableFormat::Csv { b',' } else { b'\t' };
                let table = csv::Csv::new(source, dialect.dialect(delimiter), wanted)?;
                let columns = Columns::strings(table.names());
                (Box::new(table), columns)
            }
            TableFormat::Parquet | TableFormat::Arrow => {
                return Err(Failure::without_parquet());
            }
        };
        let columns = if rest { columns } else { Columns::None };
        Ok(Records { texts, ..Records::new(format, columns, extent) })
    }

    /// Texts of the command line.
    pub fn arguments(texts: Vec<String>) -> Records {
        Records::new(Box::new(texts::Arguments(texts.into_iter())), Columns::None, None)
    }

    /// The texts of a table, with the ids it may have.
    pub fn texts(path: &Path, told: Told, column: &str) -> Result<Records, Failure> {
        Records::open(path, told, &DialectArgs::default(), Wanted::text(column))
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
        Records::of_text(source, format, &DialectArgs::default(), Wanted::text("text"))
    }
}
