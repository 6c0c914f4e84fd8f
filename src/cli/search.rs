//! `monomorph search`: the nearest vectors to a query, by comparing all of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{built, cosine};
use serde::Serialize;

use super::embedding::EmbeddingArgs;
use super::failure::Failure;
use super::message;
use super::output;
use super::preparation::{self, prompt_help, role, warn_if_cut};
use super::records::{Id, Records, TableFormat, Told};
use super::vectors::{self, Label, Next};

/// Find the texts that answer a query, in vectors of floats that batch or embed wrote
#[derive(Args, Debug)]
#[command(mut_arg("prompt", |arg| arg.help(query_prompt_help())))]
#[command(mut_arg("prefix", |arg| arg.help("Prepend STR to the query, verbatim, instead of a prompt")))]
#[command(mut_arg("title", |arg| arg.help("Title of the query, for a prompt that takes a title")))]
#[command(mut_arg("dimensions", |arg| arg.help("Expect vectors of N dimensions [default: the file's]")))]
#[command(after_help = preparation::help("\
Each line of the answer has the cosine, the id (or the row, from 0) and the text, separated by tabs; a terminal shows
the beginning of the text. Parquet files contain the texts; for other files, --texts names the table that the vectors
were made from, row by row. The search is exact: every vector is compared. If the model has prompts, the query gets the
one for queries; embed the documents with --prompt document.

Examples:
  monomorph batch --prompt document --input notes.txt --output notes.parquet
  monomorph search \"Which planet is red?\" --in notes.parquet
  monomorph search \"Which planet is red?\" --in vectors.npy --texts notes.txt --top 3 --json"))]
pub struct SearchArgs {
    /// The query
    #[arg(value_name = "QUERY")]
    query: String,

    /// Vectors to search: an npy, Parquet or jsonl file of float32, float16 or float64 values
    #[arg(long = "in", value_name = "VECTORS")]
    vectors: PathBuf,

    /// Number of results
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    /// Show the texts of this table, which has a row for each vector
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,

    /// Column of the texts [default: the one that a Parquet file names, else text]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Column of the vectors in a Parquet file
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    embedding_column: String,

    #[command(flatten)]
    embedding: EmbeddingArgs,

    /// Print whole texts to a terminal, too; elsewhere they always are
    #[arg(long)]
    full: bool,

    /// Print one JSON object: {"query", "results": [{"score", "row", "id", "text"}]}
    #[arg(long)]
    json: bool,
}

/// Letters of a text that a terminal shows, where a text may be a whole document.
const SHOWN_LETTERS: usize = 200;

/// One of the results.
#[derive(Debug, Serialize)]
struct Hit {
    score: f32,
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    query: &'a str,
    results: &'a [Hit],
}

pub fn run(args: &SearchArgs) -> Result<(), Failure> {
    let name = args.vectors.display();
    // With a table of texts, the column is the table's.
    let column = args.column.as_deref().filter(|_| args.texts.is_none());
    let mut vectors = vectors::open(&args.vectors, &args.embedding_column, column)?;
    check(&vectors.about(), args)?;
    let (mut row, mut query) = (Vec::new(), Vec::new());
    let mut best = Best::new(args.top as usize);
    let (mut number, mut passed_over) = (0, 0);
    loop {
        match vectors.next(&mut row)? {
            Next::End => break,
            Next::Vector if row.iter().all(|value| value.is_finite()) => {
                if query.is_empty() {
                    query = args.embed(row.len())?;
                }
                if row.len() != query.len() {
                    return Err(Failure::Failed(format!(
                        "{name}, row {number} (from 0): {}, but the first vector has {}",
                        message::counted(row.len() as u64, "value"),
                        query.len()
                    )));
                }
                let score = cosine(&query, &row);
                if best.takes(score) {
                    let Label { id, text } = vectors.label();
                    best.add(Hit { score, row: number, id, text });
                }
            }
            Next::Vector | Next::Null => passed_over += 1,
        }
        number += 1;
    }
    if passed_over > 0 {
        let rows = message::counted(passed_over, "row");
        message::warning(format_args!(
            "{name}: {rows} without a vector, or with one that lacks values, passed over"
        ));
    }
    let mut hits = best.hits;
    if let Some(path) = &args.texts {
        let by_name = TableFormat::of(path);
        let told = Told { asked: None, by_name, has_option: false, is_for_texts: false };
        let table = Records::texts(path, told, args.column.as_deref().unwrap_or("text"))?;
        look_up(table, path, args, number, &mut hits)?;
    }
    print(args, &hits)
}

impl SearchArgs {
    /// The query's vector, with as many dimensions as the file's.
    fn embed(&self, dimensions: usize) -> Result<Vec<f32>, Failure> {
        let (embedder, mut options) = self.embedding.open(|options| options)?;
        let available = embedder.info().dimensions;
        if dimensions == 0 {
            return Err(Failure::Failed(format!(
                "{}: its first vector is empty",
                self.vectors.display()
            )));
        }
        if dimensions > available {
            return Err(Failure::Failed(format!(
                "{}: its vectors have {dimensions} values, this model's {available}: they come from another model",
                self.vectors.display()
            )));
        }
        if let Some(asked) = options.dimensions.filter(|&asked| asked != dimensions) {
            return Err(Failure::Usage(format!(
                "--dimensions {asked}: the vectors of {} have {dimensions}; leave the option out, or make them again \
                 with --dimensions {asked}",
                self.vectors.display()
            )));
        }
        options.dimensions = Some(dimensions);
        if options.prefix.is_none() {
            options.prompt = role("query");
        }
        let embeddings =
            embedder.run(&[&self.query], &options).map_err(|error| match error.text() {
                Some(_) => Failure::Failed(format!("the query: {}", error.reason())),
                None => error.into(),
            })?;
        let [embedding] = &embeddings[..] else { return Ok(Vec::new()) };
        warn_if_cut("the query", embedding);
        Ok(embedding.vector.clone())
    }
}

/// Refuses vectors of another model, and warns of a prompt that makes searches worse.
fn check(about: &vectors::About, args: &SearchArgs) -> Result<(), Failure> {
    let own = format!("{:032x}", built::FINGERPRINT.content);
    if about.model.as_ref().is_some_and(|model| *model != own) {
        return Err(Failure::Failed(format!(
            "{}: its vectors were not made with the model file of this binary",
            args.vectors.display()
        )));
    }
    let Some(document) = role("document") else { return Ok(()) };
    let by_default = ["none", "query"].contains(&args.embedding.prompt.name().as_str());
    let how = match about.prompt.as_deref().filter(|_| by_default) {
        // A prompt that adds nothing makes the same vectors.
        Some("none") if document.prefix.is_empty() => return Ok(()),
        Some("none") => "without a prompt".to_owned(),
        Some(prompt) if prompt != document.name() && prompt != "custom" => {
            format!("with the prompt {prompt}")
        }
        _ => return Ok(()),
    };
    message::warning(format_args!(
        "{} was made {how}; searches work better on vectors made with --prompt {document}",
        args.vectors.display()
    ));
    Ok(())
}

fn query_prompt_help() -> String {
    let help = prompt_help("the query");
    role("query").map_or(help.clone(), |query| format!("{help} [default: {query}]"))
}

/// The best hits so far, best first; of equal ones, the earlier first.
struct Best {
    hits: Vec<Hit>,
    n: usize,
}

impl Best {
    fn new(n: usize) -> Best {
        Best { hits: Vec::new(), n }
    }

    fn takes(&self, score: f32) -> bool {
        self.hits.len() < self.n || self.hits.last().is_some_and(|worst| score > worst.score)
    }

    fn add(&mut self, hit: Hit) {
        let better = |other: &Hit| other.score.total_cmp(&hit.score) != Ordering::Less;
        let place = self.hits.partition_point(better);
        self.hits.insert(place, hit);
        self.hits.truncate(self.n);
    }
}

/// Adds the texts of the table's rows to the hits. The table must have a row for each of the vectors.
fn look_up(
    mut table: Records,
    path: &Path,
    args: &SearchArgs,
    vectors: u64,
    hits: &mut [Hit],
) -> Result<(), Failure> {
    let mut wanted: BTreeMap<u64, usize> =
        hits.iter().enumerate().map(|(i, hit)| (hit.row, i)).collect();
    while let Some(entry) = wanted.first_entry() {
        table.skip_to(*entry.key())?;
        let hit = &mut hits[entry.remove()];
        if let Some(record) = table.next()? {
            hit.text = Some(record.text);
            hit.id = hit.id.take().or(record.id);
        }
    }
    table.skip_to(u64::MAX)?;
    if table.index() != vectors {
        let [rows, vectors] = [(table.index(), "row"), (vectors, "vector")]
            .map(|(n, noun)| message::counted(n, noun));
        return Err(Failure::Failed(format!(
            "{} has {rows}, but {} has {vectors}; --texts takes a table with exactly one row for each vector, not one \
             that batch has embedded in shards or with records skipped",
            path.display(),
            args.vectors.display()
        )));
    }
    Ok(())
}

fn print(args: &SearchArgs, hits: &[Hit]) -> Result<(), Failure> {
    let answer = if args.json {
        let answer = Answer { query: &args.query, results: hits };
        serde_json::to_string(&answer).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
    } else {
        let is_short = !args.full && std::io::stdout().is_terminal();
        let letters = if is_short { SHOWN_LETTERS } else { usize::MAX };
        hits.iter().map(|hit| hit.line(letters)).collect()
    };
    output::print(answer.as_bytes())
}

impl Hit {
    /// A line with so many letters of the text.
    fn line(&self, letters: usize) -> String {
        let name = match &self.id {
            Some(Id::String(id)) => id.replace(char::is_control, " "),
            Some(id) => id.to_string(),
            None => self.row.to_string(),
        };
        let mut text = self.text.as_deref().unwrap_or_default().replace(char::is_control, " ");
        if let Some((end, _)) = text.char_indices().nth(letters) {
            text.replace_range(end.., "...");
        }
        format!("{:.4}\t{name}\t{text}", self.score).trim_end().to_owned() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_are_kept_in_order() {
        let mut best = Best::new(3);
        for (row, score) in [0.1, 0.5, 0.3, 0.5, 0.2, 0.9].into_iter().enumerate() {
            if best.takes(score) {
                best.add(Hit { score, row: row as u64, id: None, text: None });
            }
        }
        let rows: Vec<u64> = best.hits.iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [5, 1, 3]);
    }
}
