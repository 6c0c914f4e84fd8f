//! Which table is read, and which of its columns.

use std::path::PathBuf;

use clap::Args;
use monomorph::Prompt;

use super::inputs::Inputs;
use super::open::Opener;
use super::{DialectArgs, Records, TableFormat, Told, Wanted};
use crate::cli::failure::Failure;
use crate::cli::preparation::titled;

/// The arguments for the table to read.
#[derive(Args, Debug)]
pub struct TableArgs {
    /// The table to read, or standard input if it is `-`; several tables with the same columns; or a folder, whose
    /// documents (Markdown and plain text) are a record each, or else its tables are read
    #[arg(long, short, value_name = "PATH", num_args = 1.., required = true)]
    input: Vec<PathBuf>,

    /// Format of --input [default: what its content or its extension says, else lines]
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

    /// Leave out white space at both ends of each text
    #[arg(long)]
    trim: bool,

    #[command(flatten)]
    dialect: DialectArgs,
}

impl TableArgs {
    /// The files to read.
    pub fn inputs(&self) -> Result<Inputs, Failure> {
        Inputs::find(&self.input, self.input_format)
    }

    /// Opens the table. `keep` asks for all of its columns.
    pub fn open(
        &self,
        inputs: &Inputs,
        keep: bool,
        prompt: Option<Prompt>,
    ) -> Result<Records, Failure> {
        if self.title_column.is_some() && prompt.is_none_or(|prompt| prompt.titled.is_none()) {
            return Err(Failure::Usage(match titled() {
                Some(prompt) => format!("--title-column needs --prompt {prompt}"),
                None => "--title-column: this model has no prompt that takes a title".to_owned(),
            }));
        }
        let id = self.id_column.clone();
        let wanted = Wanted {
            text: self.column.clone(),
            has_option: true,
            has_column_option: true,
            id: (id.clone().unwrap_or_else(|| "id".to_owned()), id.is_some()),
            title: self.title_column.clone(),
            rest: keep,
        };
        let told =
            Told { asked: self.input_format, by_name: None, has_option: true, is_for_texts: false };
        // Before any file is looked for.
        for input in &inputs.0 {
            if let Some(format) = told.asked.or(input.format) {
                wanted.must_have_columns(format)?;
            }
        }
        let opener = Opener { told, dialect: self.dialect.clone(), wanted };
        let mut records = Records::open(inputs, opener)?.trimmed(self.trim);
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
        let columns =
            columns.into_iter().filter_map(|(option, column)| Some((option, column?.clone())));
        let trim = self.trim.then(|| ("trim", "true".to_owned()));
        columns.chain(trim).chain(self.dialect.given())
    }
}
