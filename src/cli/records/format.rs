//! The formats of tables.

use std::path::Path;

use clap::ValueEnum;

/// The formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// One text per line; an empty line is an empty text
    Lines,
    /// One JSON object per line: {"text": "...", "id": "..."}, the id a string or an integer and optional
    Jsonl,
    /// The same objects in one JSON array
    Json,
    /// Comma-separated values, quoted where necessary; the first line names the columns
    Csv,
    /// As csv, but separated by tabs
    Tsv,
    /// Apache Parquet
    Parquet,
    /// Apache Arrow's IPC file (Feather 2) or stream
    Arrow,
    /// The whole file is one text, such as Markdown; the columns are path, title and text, and the path is the id
    Document,
}

impl TableFormat {
    /// The format that a file's name says, with or without the extension of a compression.
    pub fn of(path: &Path) -> Option<TableFormat> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "gz" | "zst" => return TableFormat::of(Path::new(path.file_stem()?)),
            "txt" => TableFormat::Lines,
            "jsonl" | "ndjson" => TableFormat::Jsonl,
            "json" => TableFormat::Json,
            "csv" => TableFormat::Csv,
            "tsv" | "tab" => TableFormat::Tsv,
            "parquet" | "pq" => TableFormat::Parquet,
            "arrow" | "arrows" | "feather" | "ipc" => TableFormat::Arrow,
            _ => return None,
        })
    }

    /// Whether it holds texts and no other columns, as the commands that read a list of texts take them.
    pub fn is_of_texts(&self) -> bool {
        matches!(self, TableFormat::Lines | TableFormat::Jsonl | TableFormat::Json)
    }

    /// Whether it separates values by a character.
    pub fn is_separated(&self) -> bool {
        matches!(self, TableFormat::Csv | TableFormat::Tsv)
    }

    /// The name that --input-format takes.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
