//! `monomorph search`: the nearest texts or vectors to a query, by comparing all of them.

mod context;
mod hits;
mod scan;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{EmbedOptions, Embedder, built};
use monomorph_encoder::threads::default_threads;

use super::embedding::EmbeddingArgs;
use super::failure::Failure;
use super::message;
use super::precision::StoredArgs;
use super::preparation::{self, prompt_help, role, warn_if_cut};
use super::records::{Id, Records, TableFormat, Told};
use super::vectors::{self, Part, Reading, Texts};
use hits::Hit;
use scan::Found;
use show::{Answer, AnswerFormat};

/// Find the texts that answer a query, in a table of texts or in vectors that batch or embed wrote
#[derive(Args, Debug)]
#[command(mut_arg("prompt", |arg| arg.help(query_prompt_help())))]
#[command(mut_arg("prefix", |arg| arg.help("Prepend STR to the query, verbatim, instead of a prompt")))]
#[command(mut_arg("title", |arg| arg.help("Title of the query, for a prompt that takes a title")))]
#[command(mut_arg("dimensions", |arg| arg.help("Expect vectors of N dimensions [default: the file's]")))]
#[command(after_help = preparation::help("\
Each line of the answer has the cosine, the id (or the row, from 0), the headings of a chunk, and the text, separated by
tabs; a terminal shows the beginning of the text. The search is exact: every vector is compared, also those of int8, uint8
and bits, with the query in float32; --rescore compares the best of them again in more digits.

A table of texts is embedded for each search, which takes long for a large one: make its vectors once, with batch, and
search those. Parquet files of vectors contain the texts; for others, --texts names the table that the vectors were made
from, row by row. If the model has prompts, the query and the texts of a table get theirs; give batch --prompt document
for the same.

Examples:
  monomorph search \"Which planet is red?\" --in notes.txt
  monomorph batch --prompt document --input notes.txt --output notes.parquet
  monomorph search \"Which planet is red?\" --in notes.parquet
  monomorph search \"Which planet is red?\" --in notes.parquet --top 3 --context 2
  monomorph search --queries questions.txt --in notes.parquet --format csv
  monomorph search \"Which planet is red?\" --in vectors.npy --texts notes.txt --top 3 --json
  monomorph search \"Which planet is red?\" --in bits.npy --precision ubinary --rescore vectors.npy"))]
pub struct SearchArgs {
    /// The query
    #[arg(value_name = "QUERY", required_unless_present = "queries", conflicts_with = "queries")]
    query: Option<String>,

    /// Ask all queries of FILE, a table of texts in any format that batch reads; each line of the answer begins with the
    /// query's id, or its number from 0
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,

    /// What to search: a table of texts, in any format that batch reads, or an npy, Parquet or jsonl file of vectors
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
    stored: StoredArgs,

    /// Compare the best rows again with their vectors in FILE, which has the same rows in more digits
    #[arg(long, value_name = "FILE")]
    rescore: Option<PathBuf>,

    #[command(flatten)]
    embedding: EmbeddingArgs,

    /// Print whole texts to a terminal, too; elsewhere they always are
    #[arg(long)]
    full: bool,

    /// Show each chunk with N lines before and after it in its file, as grep does
    #[arg(long, value_name = "N")]
    context: Option<usize>,

    /// Form of the answer
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// So many times the results are compared again.
const RESCORED: usize = 10;

/// What is asked.
struct Query {
    id: Option<Id>,
    text: String,
    /// What messages call it.
    name: String,
}

/// What is in the file.
enum Searched {
    Vectors(Vec<Part<'static>>),
    Texts(Box<Records>),
}

pub fn run(args: &SearchArgs) -> Result<(), Failure> {
    let queries = args.queries()?;
    let searched = args.open()?;
    let has_texts = matches!(searched, Searched::Texts(_));
    let (embedder, options) = args.embedding.open(|options| options.keep_panels(has_texts))?;
    let parts = match searched {
        Searched::Vectors(parts) => parts,
        Searched::Texts(table) => {
            let options =
                EmbedOptions { prompt: role("document"), prefix: None, ..options.clone() };
            let name = args.file.display().to_string();
            let texts = Texts::new(*table, name, &embedder, options);
            vec![Part { first: 0, vectors: Box::new(texts) }]
        }
    };
    let asked =
        |path: &Path, dimensions| args.embed(path, &queries, &embedder, &options, dimensions);
    let name = args.file.display().to_string();
    let top = args.top as usize;
    let kept = if args.rescore.is_some() { top.saturating_mul(RESCORED) } else { top };
    let mut found = scan::nearest(&name, parts, kept, |n| asked(&args.file, n))?;
    found.warn(&name);
    if let Some(path) = &args.rescore {
        let column = args.embedding_column.as_deref().unwrap_or("embedding");
        let vectors = vectors::open(
            path,
            &Reading { column, text_column: None, color_column: None, told: None },
        )?;
        let name = path.display().to_string();
        scan::rescored(&name, vectors, top, &mut found, |n| asked(path, n))?;
    }
    if let Some(path) = &args.texts {
        look_up(texts(path, args.column.as_deref())?, path, args, &mut found)?;
    }
    // A file without vectors has no answers, not even empty ones.
    found.hits.resize(queries.len(), Vec::new());
    let answers = queries.iter().zip(&found.hits).zip(0..).map(|((query, hits), number)| Answer {
        query: &query.text,
        of_file: args.queries.is_some().then_some((query.id.as_ref(), number)),
        hits,
    });
    let answers: Vec<Answer<'_>> = answers.collect();
    let format = if args.json { AnswerFormat::Json } else { args.format };
    show::print(&answers, format, args.context, args.full)
}

/// The texts of a table.
fn texts(path: &Path, column: Option<&str>) -> Result<Records, Failure> {
    let by_name = TableFormat::of(path);
    let told = Told { asked: None, by_name, has_option: false, is_for_texts: false };
    Records::texts(path, told, Some(column.unwrap_or("text")))
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

    /// Opens the file, in parts that are searched at the same time where it has vectors.
    fn open(&self) -> Result<Searched, Failure> {
        let column = self.embedding_column.as_deref();
        // With a table of texts, the column is the table's.
        let text_column = self.column.as_deref().filter(|_| self.texts.is_none());
        if !vectors::are_in(&self.file, column, text_column)? {
            return self.table().map(Box::new).map(Searched::Texts);
        }
        let column = column.unwrap_or("embedding");
        let reading =
            Reading { column, text_column, color_column: None, told: self.stored.decode()? };
        let threads = self.embedding.model.threads().unwrap_or_else(default_threads);
        let parts = vectors::open_parts(&self.file, &reading, threads)?;
        if let Some(part) = parts.first() {
            check(&part.vectors.about(), self)?;
        }
        Ok(Searched::Vectors(parts))
    }

    /// The query, or those of the file.
    fn queries(&self) -> Result<Vec<Query>, Failure> {
        if let Some(text) = &self.query {
            return Ok(vec![Query { id: None, text: text.clone(), name: "the query".to_owned() }]);
        }
        let path = self.queries.as_deref().unwrap_or(Path::new("-"));
        let (mut records, mut queries) = (texts(path, None)?, Vec::new());
        while let Some(entry) = records.next()? {
            queries.push(Query { id: entry.id, text: entry.text, name: entry.place });
        }
        match queries.is_empty() {
            true => Err(Failure::Failed(format!("{} has no queries", path.display()))),
            false => Ok(queries),
        }
    }

    /// The queries' vectors, with as many dimensions as those of a file.
    fn embed(
        &self,
        path: &Path,
        queries: &[Query],
        embedder: &Embedder,
        options: &EmbedOptions,
        dimensions: usize,
    ) -> Result<Vec<Vec<f32>>, Failure> {
        let (name, available) = (path.display(), embedder.info().dimensions);
        if dimensions == 0 {
            return Err(Failure::Failed(format!("{name}: its first vector is empty")));
        }
        // Bits fill their last byte.
        let is_filled = |asked: usize| asked.next_multiple_of(8) == dimensions;
        let dimensions = if is_filled(available) { available } else { dimensions };
        if dimensions > available {
            return Err(Failure::Failed(format!(
                "{name}: its vectors have {dimensions} values, this model's {available}: they come from another model"
            )));
        }
        if let Some(asked) = options.dimensions.filter(|&asked| asked != dimensions) {
            return Err(Failure::Usage(format!(
                "--dimensions {asked}: the vectors of {name} have {dimensions}; leave the option out, or make them again \
                 with --dimensions {asked}"
            )));
        }
        let prompt = role("query").filter(|_| options.prefix.is_none());
        let options = EmbedOptions { dimensions: Some(dimensions), prompt, ..options.clone() };
        let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
        let embeddings = embedder.run(&texts, &options).map_err(|error| match error.text() {
            Some(i) => Failure::Failed(format!("{}: {}", queries[i].name, error.reason())),
            None => error.into(),
        })?;
        for (query, embedding) in queries.iter().zip(&embeddings) {
            warn_if_cut(&query.name, embedding);
        }
        Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
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
    found: &mut Found,
) -> Result<(), Failure> {
    let mut wanted: BTreeMap<u64, Vec<&mut Hit>> = BTreeMap::new();
    for hit in found.hits.iter_mut().flatten() {
        wanted.entry(hit.row).or_default().push(hit);
    }
    while let Some((row, hits)) = wanted.pop_first() {
        table.skip_to(row)?;
        let Some(record) = table.next()? else { continue };
        for hit in hits {
            hit.label.text = Some(record.text.clone());
            hit.label.id = hit.label.id.take().or_else(|| record.id.clone());
        }
    }
    table.skip_to(u64::MAX)?;
    if table.index() != found.rows {
        let [rows, vectors] = [(table.index(), "row"), (found.rows, "vector")]
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
