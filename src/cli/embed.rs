//! `monomorph embed`: turns texts into vectors.

use std::time::Instant;

use clap::Args;
use monomorph::{Embedder, Embedding};

use super::embedding::VectorArgs;
use super::failure::Failure;
use super::input::InputArgs;
use super::message;
use super::output::{self, Output, OutputArgs, Record, Summary};
use super::precision::PrecisionArgs;
use super::preparation::{self, Cuts};
use super::records::{Entry, Row};

/// Turn texts into vectors
#[derive(Args, Debug)]
#[command(after_help = preparation::help("\
Every line of a text file is a text, empty lines included, so line N of the input is vector N of the output.
Memory does not grow with the input, except for npy on standard output, which starts with the number of vectors.
A text longer than the model's context is cut, with a warning; --truncate none makes that an error.

Examples:
  monomorph embed \"Hello world\"
  monomorph embed --prompt query \"Which planet is known as the Red Planet?\"
  monomorph embed --prompt document --input passages.jsonl --output passages.npy
  cut -f2 table.tsv | monomorph embed --format csv --dimensions 256 > vectors.csv"))]
pub struct EmbedArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    vectors: VectorArgs,
    #[command(flatten)]
    precision: PrecisionArgs,

    /// Print the number of texts and tokens, and the speed, on standard error
    #[arg(long)]
    stats: bool,
}

pub fn run(args: EmbedArgs) -> Result<(), Failure> {
    let begun = Instant::now();
    let ranges = args.precision.ranges().map(|path| ("--ranges", path));
    let input = args.input.path().map(|path| ("the input", path));
    let model = args.vectors.embedding.model.file();
    let model = model.as_deref().map(|path| ("the model", path));
    output::must_be_none_of(args.output.file(), [input, ranges, model].into_iter().flatten())?;
    let mut source = args.input.open()?;
    let (embedder, options) = args.vectors.open(|options| options)?;
    let dimensions = options.dimensions.unwrap_or(embedder.info().dimensions);
    let quantizer = args.precision.quantizer(dimensions)?;
    let mut output = args.output.open(monomorph::built::NAME, quantizer, dimensions)?;
    let opened = begun.elapsed();

    let mut cuts = Cuts::default();
    let mut chunk = Vec::new();
    loop {
        source.next_chunk(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        let embeddings = embedder.run(&chunk, &options).map_err(|error| failure(&chunk, &error))?;
        write(&chunk, &embeddings, &mut cuts, &mut output)?;
    }
    let summary = output.finish()?;
    cuts.report_rest();
    if args.stats {
        report_stats(&embedder, &summary, opened.as_secs_f64(), begun.elapsed().as_secs_f64());
    }
    Ok(())
}

fn write(
    chunk: &[Entry],
    embeddings: &[Embedding],
    cuts: &mut Cuts,
    output: &mut Output,
) -> Result<(), Failure> {
    for (text, embedding) in chunk.iter().zip(embeddings) {
        cuts.note(name(text), embedding);
        output.write(Record {
            index: text.index,
            id: text.id.as_ref(),
            row: Row::None,
            tokens: embedding.tokens,
            dropped: embedding.dropped,
            dropped_is_exact: embedding.dropped_is_exact,
            vector: &embedding.vector,
        })?;
    }
    output.flush()
}

/// The library counts within one call; people count within the whole input.
fn failure(chunk: &[Entry], error: &monomorph::Error) -> Failure {
    match error.text().and_then(|place| chunk.get(place)) {
        Some(text) => Failure::Failed(format!("{}: {}", name(text), error.reason())),
        None => Failure::Failed(error.to_string()),
    }
}

/// The name of a text in messages: its line, or its number among the arguments, from 1.
fn name(text: &Entry) -> String {
    let place = match text.place.as_str() {
        "" => format!("text {}", text.index + 1),
        place => place.to_owned(),
    };
    match &text.id {
        Some(id) => format!("{place} (id {id})"),
        None => place,
    }
}

fn report_stats(embedder: &Embedder, summary: &Summary, opened: f64, total: f64) {
    let info = embedder.info();
    let seconds = total - opened;
    message::line(format_args!(
        "texts {}, tokens {}, seconds {seconds:.3} after {opened:.3} to open, tokens/s {:.0}, isa {}, threads {}, path {}",
        summary.texts,
        summary.tokens,
        summary.tokens as f64 / seconds.max(1e-9),
        info.isa,
        info.threads,
        info.path,
    ));
}
