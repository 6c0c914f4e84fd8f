//! Which table is read, and which of its columns.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use monomorph::Prompt;

use super::{Records, Wanted};
use crate::cli::failure::Failure;
use crate::cli::preparation::titled;

/// The arguments for the table to read.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// The table to read, or standard input if it is `-`
    #[arg(long, short, value_name = "FILE")]
    pub input: PathBuf,

    /// Format of --input [default: by its extension, else lines]
    #[arg(long, value_name = "FORMAT")]
    input_format: Option<TableFormat>,

    /// Column (in jsonl: key) of the texts
    #[arg(long, value_name = "NAME", default_value = "text")]
    column: String,

    /// Column of the ids, strings or integers [default: id, if it exists]
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,

    /// Column of titles, for a prompt that takes a title
    #[arg(long, value_name = "NAME")]
    title_column: Option<String>,
}

/// The formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// One text per line; an empty line is an empty text
    Lines,
    /// One JSON object per line: {"text": "...", "id": "..."}, the id a string or an integer and optional
    Jsonl,
    /// Comma-separated values, quoted where necessary; the first line names the columns
    Csv,
    /// As csv, but separated by tabs
    Tsv,
    /// Apache Parquet
    Parquet,
    /// Apache Arrow's IPC file (Feather 2) or stream
    Arrow,
}

impl TableArgs {
    /// Opens the table. `keep` asks for all of its columns.
    pub fn open(&self, keep: bool, prompt: Option<Prompt>) -> Result<Records, Failure> {
        if self.title_column.is_some() && prompt.is_none_or(|prompt| prompt.titled.is_none()) {
            return Err(Failure::Usage(match titled() {
                Some(prompt) => format!("--title-column needs --prompt {prompt}"),
                None => "--title-column: this model has no prompt that takes a title".to_owned(),
            }));
        }
        let format = self.input_format.unwrap_or_else(|| TableFormat::of(&self.input));
        let id = self.id_column.clone();
        let wanted = Wanted {
            text: self.column.clone(),
            has_option: true,
            id: (id.clone().unwrap_or_else(|| "id".to_owned()), id.is_some()),
            title: self.title_column.clone(),
            rest: keep,
        };
        let columns_asked = self.column != "text" || id.is_some() || self.title_column.is_some();
        if format == TableFormat::Lines && columns_asked {
            return Err(Failure::Usage(
                "lines have no columns; use --input-format for a file in another format".into(),
            ));
        }
        let mut records = Records::open(&self.input, format, wanted)?;
        records.title = prompt.filter(|_| self.title_column.is_some());
        Ok(records)
    }

    /// Whether each text has a title, and so its own prefix.
    pub fn has_titles(&self) -> bool {
        self.title_column.is_some()
    }

    /// The columns that are read, by the options that name them, for a checkpoint.
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, String)> {
        let columns = [
            ("column", Some(&self.column)),
            ("id-column", self.id_column.as_ref()),
            ("title-column", self.title_column.as_ref()),
        ];
        columns.into_iter().filter_map(|(option, column)| Some((option, column?.clone())))
    }

    /// Whether the input is a regular file, which can be read twice.
    pub fn is_file(&self) -> bool {
        std::fs::metadata(&self.input).is_ok_and(|input| input.is_file())
    }
}

impl TableFormat {
    /// Whether it holds texts and no other columns, as the commands that read a list of texts take them.
    pub fn is_of_texts(&self) -> bool {
        matches!(self, TableFormat::Lines | TableFormat::Jsonl)
    }

    pub fn of(path: &Path) -> TableFormat {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => TableFormat::Jsonl,
            "csv" => TableFormat::Csv,
            "tsv" | "tab" => TableFormat::Tsv,
            "parquet" | "pq" => TableFormat::Parquet,
            "arrow" | "arrows" | "feather" | "ipc" => TableFormat::Arrow,
            _ => TableFormat::Lines,
        }
    }
}
