//! `monomorph similarity`: how similar texts are.

use clap::Args;
use monomorph::{EmbedOptions, Embedder, cosine};
use serde::Serialize;

use super::embedding::EmbeddingArgs;
use super::failure::Failure;
use super::output;
use super::preparation::{role, warn_if_cut};

/// Print the cosine similarity of all pairs of texts, or of documents and a query
#[derive(Args, Debug)]
#[command(after_help = "\
Without --query, line i and column j show the cosine of texts i and j.
With --query, each TEXT is a document: each line has its score, a tab, and the text. Both sides get the model's
retrieval prompts, if it has any.

Examples:
  monomorph similarity \"A cat sat.\" \"A kitten sat.\" \"Stocks fell.\"
  monomorph similarity --query \"Which planet is red?\" \"Mars is the Red Planet.\" \"Venus is hot.\"")]
pub struct SimilarityArgs {
    /// Texts: at least two, or one with --query
    #[arg(value_name = "TEXT", required = true)]
    texts: Vec<String>,

    /// Score the texts as documents against this query
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["prompt", "prefix", "title"])]
    query: Option<String>,

    #[command(flatten)]
    embedding: EmbeddingArgs,

    /// Print one JSON object: {"texts", "matrix"} or {"query", "texts", "scores"}
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

pub fn run(args: SimilarityArgs) -> Result<(), Failure> {
    if args.query.is_none() && args.texts.len() < 2 {
        return Err(Failure::Usage(
            "similarity needs at least two texts, or one with --query".into(),
        ));
    }
    let (embedder, options) = args.embedding.open(|options| options)?;
    let answer = match &args.query {
        Some(query) => scores(&args, query, &embedder, &options)?,
        None => matrix(&args, &embedder, &options)?,
    };
    output::print(answer.as_bytes())
}

fn matrix(
    args: &SimilarityArgs,
    embedder: &Embedder,
    options: &EmbedOptions,
) -> Result<String, Failure> {
    let vectors = vectors(embedder, &args.texts, options, text_number)?;
    let matrix: Vec<Vec<f32>> =
        vectors.iter().map(|a| vectors.iter().map(|b| cosine(a, b)).collect()).collect();
    if args.json {
        return to_json(&Matrix { texts: &args.texts, matrix: &matrix });
    }
    let line = |row: &Vec<f32>| {
        row.iter().map(|x| format!("{x:7.4}")).collect::<Vec<_>>().join(" ") + "\n"
    };
    Ok(matrix.iter().map(line).collect())
}

fn scores(
    args: &SimilarityArgs,
    query: &str,
    embedder: &Embedder,
    options: &EmbedOptions,
) -> Result<String, Failure> {
    let with = |side| EmbedOptions { prompt: role(side), ..options.clone() };
    let query_itself = |_| "the query".to_owned();
    let asked = vectors(embedder, &[query.to_owned()], &with("query"), query_itself)?;
    let documents = vectors(embedder, &args.texts, &with("document"), text_number)?;
    let scores: Vec<f32> = documents.iter().map(|document| cosine(&asked[0], document)).collect();
    if args.json {
        return to_json(&Scores { query, texts: &args.texts, scores: &scores });
    }
    let lines = scores.iter().zip(&args.texts);
    Ok(lines
        .map(|(score, text)| format!("{score:.4}\t{}\n", text.replace(char::is_control, " ")))
        .collect())
}

fn to_json(answer: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(answer).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(json + "\n")
}

/// The name of text `i`, from 0, in messages.
fn text_number(i: usize) -> String {
    format!("text {}", i + 1)
}

fn vectors(
    embedder: &Embedder,
    texts: &[String],
    options: &EmbedOptions,
    name: impl Fn(usize) -> String,
) -> Result<Vec<Vec<f32>>, Failure> {
    let embeddings = embedder.run(texts, options).map_err(|error| match error.text() {
        Some(i) => Failure::Failed(format!("{}: {}", name(i), error.reason())),
        None => error.into(),
    })?;
    for (i, embedding) in embeddings.iter().enumerate() {
        warn_if_cut(format_args!("{}", name(i)), embedding);
    }
    Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
}
