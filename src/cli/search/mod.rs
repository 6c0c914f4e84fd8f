//! `monomorph search`: the nearest texts or vectors to a query, by comparing all of them.

mod hits;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{EmbedOptions, Embedder, built, cosine};
use serde::Serialize;

use super::embedding::EmbeddingArgs;
use super::failure::Failure;
use super::message;
use super::output;
use super::preparation::{self, prompt_help, role, warn_if_cut};
use super::records::{Records, TableFormat, Told};
use super::vectors::{self, Label, Next, Texts, Vectors};
use hits::{Best, Hit};

/// Find the texts that answer a query, in a table of texts or in vectors of floats that batch or embed wrote
#[derive(Args, Debug)]
#[command(mut_arg("prompt", |arg| arg.help(query_prompt_help())))]
#[command(mut_arg("prefix", |arg| arg.help("Prepend STR to the query, verbatim, instead of a prompt")))]
#[command(mut_arg("title", |arg| arg.help("Title of the query, for a prompt that takes a title")))]
#[command(mut_arg("dimensions", |arg| arg.help("Expect vectors of N dimensions [default: the file's]")))]
#[command(after_help = preparation::help("\
Each line of the answer has the cosine, the id (or the row, from 0) and the text, separated by tabs; a terminal shows
the beginning of the text. The search is exact: every vector is compared.

A table of texts is embedded for each search, which takes long for a large one: make its vectors once, with batch, and
search those. Parquet files of vectors contain the texts; for others, --texts names the table that the vectors were made
from, row by row. If the model has prompts, the query and the texts of a table get theirs; give batch --prompt document
for the same.

Examples:
  monomorph search \"Which planet is red?\" --in notes.txt
  monomorph batch --prompt document --input notes.txt --output notes.parquet
  monomorph search \"Which planet is red?\" --in notes.parquet
  monomorph search \"Which planet is red?\" --in vectors.npy --texts notes.txt --top 3 --json"))]
pub struct SearchArgs {
    /// The query
    #[arg(value_name = "QUERY")]
    query: String,

    /// What to search: a table of texts, in any format that batch reads, or an npy, Parquet or jsonl file of vectors of
    /// float32, float16 or float64 values
    #[arg(long = "in", value_name = "FILE")]
    file: PathBuf,

    /// Number of results
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    /// Show the texts of this table, which has a row for each vector
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,

    /// Column of the texts [default: the one that a Parquet file names, else text]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Column of the vectors in a Parquet file [default: embedding]
    #[arg(long, value_name = "NAME")]
    embedding_column: Option<String>,

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

#[derive(Serialize)]
struct Answer<'a> {
    query: &'a str,
    results: &'a [Hit],
}

/// What is in the file.
enum Searched {
    Vectors(Box<dyn Vectors>),
    Texts(Records),
}

pub fn run(args: &SearchArgs) -> Result<(), Failure> {
    let embedding_column = args.embedding_column.as_deref();
    // With a table of texts, the column is the table's.
    let column = args.column.as_deref().filter(|_| args.texts.is_none());
    let searched = match vectors::are_in(&args.file, embedding_column, column)? {
        true => {
            let embedding_column = embedding_column.unwrap_or("embedding");
            let vectors = vectors::open(&args.file, embedding_column, column)?;
            check(&vectors.about(), args)?;
            Searched::Vectors(vectors)
        }
        false => Searched::Texts(args.table()?),
    };
    let has_texts = matches!(searched, Searched::Texts(_));
    let (embedder, options) = args.embedding.open(|options| options.keep_panels(has_texts))?;
    let mut vectors: Box<dyn Vectors + '_> = match searched {
        Searched::Vectors(vectors) => vectors,
        Searched::Texts(table) => {
            let options =
                EmbedOptions { prompt: role("document"), prefix: None, ..options.clone() };
            Box::new(Texts::new(table, args.file.display().to_string(), &embedder, options))
        }
    };
    let (mut hits, rows) = args.nearest(vectors.as_mut(), &embedder, &options)?;
    if let Some(path) = &args.texts {
        look_up(texts(path, args.column.as_deref())?, path, args, rows, &mut hits)?;
    }
    print(args, &hits)
}

/// The texts of a table.
fn texts(path: &Path, column: Option<&str>) -> Result<Records, Failure> {
    let by_name = TableFormat::of(path);
    let told = Told { asked: None, by_name, has_option: false, is_for_texts: false };
    Records::texts(path, told, column.unwrap_or("text"))
}

impl SearchArgs {
    /// The table of texts to search, where the file has no vectors.
    fn table(&self) -> Result<Records, Failure> {
        let name = self.file.display();
        if self.texts.is_some() {
            return Err(Failure::Usage(format!(
                "--texts: {name} has no vectors, so its own texts are searched; leave the option out"
            )));
        }
        texts(&self.file, self.column.as_deref())
    }

    /// The best hits among the vectors, and the number of rows.
    fn nearest(
        &self,
        vectors: &mut dyn Vectors,
        embedder: &Embedder,
        options: &EmbedOptions,
    ) -> Result<(Vec<Hit>, u64), Failure> {
        let name = self.file.display();
        let (mut row, mut query) = (Vec::new(), Vec::new());
        let mut best = Best::new(self.top as usize);
        let (mut number, mut passed_over) = (0, 0);
        loop {
            match vectors.next(&mut row)? {
                Next::End => break,
                Next::Vector if row.iter().all(|value| value.is_finite()) => {
                    if query.is_empty() {
                        query = self.embed(embedder, options, row.len())?;
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
        Ok((best.hits, number))
    }

    /// The query's vector, with as many dimensions as the file's.
    fn embed(
        &self,
        embedder: &Embedder,
        options: &EmbedOptions,
        dimensions: usize,
    ) -> Result<Vec<f32>, Failure> {
        let available = embedder.info().dimensions;
        if dimensions == 0 {
            return Err(Failure::Failed(format!(
                "{}: its first vector is empty",
                self.file.display()
            )));
        }
        if dimensions > available {
            return Err(Failure::Failed(format!(
                "{}: its vectors have {dimensions} values, this model's {available}: they come from another model",
                self.file.display()
            )));
        }
        if let Some(asked) = options.dimensions.filter(|&asked| asked != dimensions) {
            return Err(Failure::Usage(format!(
                "--dimensions {asked}: the vectors of {} have {dimensions}; leave the option out, or make them again \
                 with --dimensions {asked}",
                self.file.display()
            )));
        }
        let prompt = role("query").filter(|_| options.prefix.is_none());
        let options = EmbedOptions { dimensions: Some(dimensions), prompt, ..options.clone() };
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
            args.file.display()
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
        args.file.display()
    ));
    Ok(())
}

fn query_prompt_help() -> String {
    let help = prompt_help("the query");
    role("query").map_or(help.clone(), |query| format!("{help} [default: {query}]"))
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
            args.file.display()
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
