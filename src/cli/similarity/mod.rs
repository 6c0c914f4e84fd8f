//! `monomorph similarity`: how similar texts are.

mod pairs;

use std::path::{Path, PathBuf};

use clap::Args;
use monomorph::{EmbedOptions, Embedder, cosine};
use serde::Serialize;

use super::embedding::EmbeddingArgs;
use super::failure::Failure;
use super::message;
use super::output;
use super::preparation::{role, warn_if_cut};
use super::records::{Entry, Records, TableFormat, Told};

/// Print the cosine similarity of all pairs of texts, or of documents and a query
#[derive(Args, Debug)]
#[command(after_help = "\
Without --query, line i and column j show the cosine of texts i and j.
With --query, each TEXT is a document: each line has its score, a tab, and the text. Both sides get the model's
retrieval prompts, if it has any.
With --input, the texts are those of a table; with --with, each row has two, and each line of the answer has their cosine,
the row's id (or its number, from 0) and both texts, separated by tabs.

Examples:
  monomorph similarity \"A cat sat.\" \"A kitten sat.\" \"Stocks fell.\"
  monomorph similarity --query \"Which planet is red?\" \"Mars is the Red Planet.\" \"Venus is hot.\"
  monomorph similarity --input notes.txt
  monomorph similarity --input pairs.csv --column sentence1 --with sentence2")]
pub struct SimilarityArgs {
    /// Texts: at least two, or one with --query
    #[arg(value_name = "TEXT", required_unless_present = "input", conflicts_with = "input")]
    texts: Vec<String>,

    /// Compare the texts of FILE, a table in any format that batch reads, or standard input if it is `-`
    #[arg(long, short, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Format of --input [default: what its content or its extension says, else lines]
    #[arg(long, value_name = "FORMAT", requires = "input")]
    input_format: Option<TableFormat>,

    /// Column (in jsonl: key) of the texts
    #[arg(long, value_name = "NAME", requires = "input", default_value = "text")]
    column: String,

    /// Compare each text with the one in this column of its row
    #[arg(long, value_name = "NAME", requires = "input", conflicts_with = "query")]
    with: Option<String>,

    /// Score the texts as documents against this query
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["prompt", "prefix", "title"])]
    query: Option<String>,

    #[command(flatten)]
    embedding: EmbeddingArgs,

    /// Print one JSON object: {"texts", "matrix"} or {"query", "texts", "scores"}; with --with one a line:
    /// {"score", "row", "id", "texts"}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Matrix<'a> {
    texts: &'a [String],
    matrix: &'a [Vec<f32>],
}

#[derive(Serialize)]
struct Scores<'a> {
    query: &'a str,
    texts: &'a [String],
    scores: &'a [f32],
}

/// The texts that are compared, and what messages call each.
struct Texts {
    texts: Vec<String>,
    names: Vec<String>,
}

pub fn run(mut args: SimilarityArgs) -> Result<(), Failure> {
    if let (Some(path), Some(with)) = (&args.input, &args.with) {
        let tables = pairs::open(&args, path, with)?;
        let (embedder, options) = args.embedding.open(|options| options.keep_panels(true))?;
        return pairs::run(tables, &embedder, &options, args.json);
    }
    let texts = args.texts()?;
    if args.query.is_none() && texts.texts.len() < 2 {
        return Err(Failure::Usage(
            "similarity needs at least two texts, or one with --query".into(),
        ));
    }
    let (embedder, options) = args.embedding.open(|options| options)?;
    let answer = match &args.query {
        Some(query) => scores(&args, &texts, query, &embedder, &options)?,
        None => matrix(&args, &texts, &embedder, &options)?,
    };
    output::print(answer.as_bytes())
}

impl SimilarityArgs {
    /// The texts of the command line or of the table.
    fn texts(&mut self) -> Result<Texts, Failure> {
        let Some(path) = &self.input else {
            let texts = std::mem::take(&mut self.texts);
            let names = (1..=texts.len()).map(|number| format!("text {number}")).collect();
            return Ok(Texts { texts, names });
        };
        let (mut records, mut all) = (self.table(path, &self.column)?, Vec::new());
        while let Some(entry) = records.next()? {
            all.push(entry);
        }
        let (texts, names) = all.into_iter().map(|Entry { text, place, .. }| (text, place)).unzip();
        Ok(Texts { texts, names })
    }

    /// The texts of a column.
    fn table(&self, path: &Path, column: &str) -> Result<Records, Failure> {
        let by_name = TableFormat::of(path);
        let told =
            Told { asked: self.input_format, by_name, has_option: true, is_for_texts: false };
        Records::texts(path, told, Some(column))
    }
}

fn matrix(
    args: &SimilarityArgs,
    texts: &Texts,
    embedder: &Embedder,
    options: &EmbedOptions,
) -> Result<String, Failure> {
    let vectors = vectors(embedder, texts, options)?;
    let matrix: Vec<Vec<f32>> =
        vectors.iter().map(|a| vectors.iter().map(|b| cosine(a, b)).collect()).collect();
    if args.json {
        return to_json(&Matrix { texts: &texts.texts, matrix: &matrix });
    }
    let line = |row: &Vec<f32>| {
        row.iter().map(|x| format!("{x:7.4}")).collect::<Vec<_>>().join(" ") + "\n"
    };
    Ok(matrix.iter().map(line).collect())
}

fn scores(
    args: &SimilarityArgs,
    texts: &Texts,
    query: &str,
    embedder: &Embedder,
    options: &EmbedOptions,
) -> Result<String, Failure> {
    let with = |side| EmbedOptions { prompt: role(side), ..options.clone() };
    let itself = Texts { texts: vec![query.to_owned()], names: vec!["the query".to_owned()] };
    let asked = vectors(embedder, &itself, &with("query"))?;
    let documents = vectors(embedder, texts, &with("document"))?;
    let scores: Vec<f32> = documents.iter().map(|document| cosine(&asked[0], document)).collect();
    if args.json {
        return to_json(&Scores { query, texts: &texts.texts, scores: &scores });
    }
    let lines = scores.iter().zip(&texts.texts);
    let line = |(score, text): (&f32, &String)| {
        format!("{score:.4}\t{}\n", message::one_line(text, usize::MAX))
    };
    Ok(lines.map(line).collect())
}

fn to_json(answer: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(answer).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(json + "\n")
}

fn vectors(
    embedder: &Embedder,
    Texts { texts, names }: &Texts,
    options: &EmbedOptions,
) -> Result<Vec<Vec<f32>>, Failure> {
    let embeddings = embedder.run(texts, options).map_err(|error| match error.text() {
        Some(i) => Failure::Failed(format!("{}: {}", names[i], error.reason())),
        None => error.into(),
    })?;
    for (name, embedding) in names.iter().zip(&embeddings) {
        warn_if_cut(name, embedding);
    }
    Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
}
