//! How results are written.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::context::Context;
use super::hits::Hit;
use crate::cli::failure::Failure;
use crate::cli::message::one_line;
use crate::cli::output;
use crate::cli::records::Id;
use crate::cli::vectors::row_name;

/// Letters of a text that a terminal shows, where a text may be a whole document.
const SHOWN_LETTERS: usize = 200;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// For people: a line for each result, its fields separated by tabs
    Text,
    /// One JSON object for each query: {"query", "results": [{"score", "row", "id", "text"}]}; of chunks, also "path",
    /// "heading", "chunk_begin" and "chunk_end"
    Json,
    /// A line of column names, then a line for each result
    Csv,
}

/// A query and its results.
pub struct Answer<'a> {
    pub query: &'a str,
    /// The query's id in a file of queries, and its number there; none where it is the only one.
    pub of_file: Option<(Option<&'a Id>, u64)>,
    pub hits: &'a [Hit],
}

#[derive(Serialize)]
struct Object<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    results: &'a [Hit],
}

/// Prints the answers.
pub fn print(
    answers: &[Answer<'_>],
    format: AnswerFormat,
    context: Option<usize>,
    is_full: bool,
) -> Result<(), Failure> {
    let bytes = match (format, context) {
        (AnswerFormat::Json, _) => json(answers)?,
        (AnswerFormat::Csv, _) => csv(answers).map_err(|e| Failure::Failed(e.to_string()))?,
        (AnswerFormat::Text, Some(lines)) => in_context(answers, lines),
        (AnswerFormat::Text, None) => {
            let is_short = !is_full && std::io::stdout().is_terminal();
            text(answers, if is_short { SHOWN_LETTERS } else { usize::MAX })
        }
    };
    output::print(&bytes)
}

fn json(answers: &[Answer<'_>]) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    for Answer { query, of_file, hits } in answers {
        let id = of_file.and_then(|(id, _)| id);
        let object = Object { query, id, results: hits };
        serde_json::to_writer(&mut bytes, &object).map_err(|e| Failure::Failed(e.to_string()))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

fn csv(answers: &[Answer<'_>]) -> csv::Result<Vec<u8>> {
    let has_places = answers.iter().flat_map(|answer| answer.hits).any(Hit::has_place);
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut names = vec!["query", "score", "row", "id", "text"];
    if has_places {
        names.extend(["path", "heading", "chunk_begin", "chunk_end"]);
    }
    out.write_record(names)?;
    for answer in answers {
        for Hit { score, row, label } in answer.hits {
            let id = label.id.as_ref().map(Id::plain).unwrap_or_default();
            let text = label.text.clone().unwrap_or_default();
            let mut fields =
                vec![answer.query.to_owned(), score.to_string(), row.to_string(), id, text];
            if has_places {
                let place = label.place.clone().unwrap_or_default();
                fields.extend([place.path, place.heading].map(Option::unwrap_or_default));
                fields.extend([place.chunk_begin, place.chunk_end].map(|at| at.to_string()));
            }
            out.write_record(fields)?;
        }
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

fn text(answers: &[Answer<'_>], letters: usize) -> Vec<u8> {
    let mut all = String::new();
    for answer in answers {
        for hit in answer.hits {
            let text = one_line(hit.label.text.as_deref().unwrap_or_default(), letters);
            let line = format!("{}{}\t{text}", answer.name(), hit.fields());
            all += line.trim_end();
            all.push('\n');
        }
    }
    all.into_bytes()
}

/// Each result with the lines around it, as grep shows them.
fn in_context(answers: &[Answer<'_>], lines: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for (answer, hit) in answers.iter().flat_map(|a| a.hits.iter().map(move |hit| (a, hit))) {
        if !all.is_empty() {
            all.push(b'\n');
        }
        let head = format!("{}{}", answer.name(), hit.fields());
        // Writing to memory does not fail.
        let _ = writeln!(all, "{}", head.trim_end());
        let _ = all.write_all(Context::of(&hit.label, lines).shown().as_bytes());
    }
    all
}

impl Answer<'_> {
    /// What begins the lines of its results: the query's id or number, if there are several.
    fn name(&self) -> String {
        self.of_file.map_or_else(String::new, |(id, number)| row_name(number, id) + "\t")
    }
}

impl Hit {
    fn has_place(&self) -> bool {
        self.label.place.is_some()
    }

    /// The score, the name and, of chunks, the heading.
    fn fields(&self) -> String {
        let name = row_name(self.row, self.label.id.as_ref());
        let heading = self.label.place.as_ref().map(|place| {
            format!("\t{}", one_line(place.heading.as_deref().unwrap_or_default(), usize::MAX))
        });
        format!("{:.4}\t{name}{}", self.score, heading.unwrap_or_default())
    }
}
