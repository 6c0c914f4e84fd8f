//! `monomorph embed`: texts in, vectors out.

use std::time::Instant;

use clap::Args;
use monomorph::{Embedder, Embedding};

use super::failure::Failure;
use super::input::{InputArgs, Text};
use super::message;
use super::model::ModelArgs;
use super::output::{Output, OutputArgs, Record, Summary};
use super::precision::PrecisionArgs;
use super::preparation::{Cuts, PreparationArgs, PromptArgs};
use super::records::Row;

/// Turn texts into vectors
#[derive(Args, Debug)]
#[command(after_help = "\
Every line of a text file is a text, empty lines too, so line N of the input is vector N of the output.
Memory does not grow with the input, but for npy to standard output, which starts with the number of vectors.
A text longer than the model's window is cut, with a warning; --truncate none makes that an error.

Examples:
  monomorph embed \"Hello world\"
  monomorph embed --prompt query \"Which planet is known as the Red Planet?\"
  monomorph embed --prompt document --input passages.jsonl --output passages.npy
  cut -f2 table.tsv | monomorph embed --format csv --dimensions 256 > vectors.csv")]
pub struct EmbedArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    preparation: PreparationArgs,

    /// Leave the vectors at the length the model gives them
    #[arg(long)]
    no_normalize: bool,

    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    model: ModelArgs,

    /// Say on standard error how many texts and tokens there were, and how fast it went
    #[arg(long)]
    stats: bool,
}

pub fn run(args: EmbedArgs) -> Result<(), Failure> {
    let begun = Instant::now();
    let prefix = args.prompt.prefix()?;
    let mut source = args.input.open()?;
    let embedder = args.model.open(|options| options)?;
    let mut options = args.preparation.options(&embedder)?;
    options.prefix = prefix;
    options.normalize = !args.no_normalize;
    let info = embedder.info();
    let dimensions = options.dimensions.unwrap_or(info.dimensions);
    let quantizer = args.precision.quantizer(dimensions)?;
    let mut output = args.output.open(monomorph::built::NAME, quantizer, dimensions)?;
    let opened = begun.elapsed();

    let mut position = Position::default();
    let mut chunk = Vec::new();
    loop {
        source.next_chunk(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        let embeddings =
            embedder.run(&chunk, &options).map_err(|error| position.failure(&chunk, &error))?;
        position.write(&chunk, &embeddings, &mut output)?;
    }
    let summary = output.finish()?;
    position.cuts.report_rest();
    if args.stats {
        report_stats(&embedder, &summary, opened.as_secs_f64(), begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// How far into the input the work has come.
#[derive(Default)]
struct Position {
    texts: usize,
    cuts: Cuts,
}

impl Position {
    fn write(
        &mut self,
        chunk: &[Text],
        embeddings: &[Embedding],
        output: &mut Output,
    ) -> Result<(), Failure> {
        for (text, embedding) in chunk.iter().zip(embeddings) {
            self.cuts.note(name(self.texts, text), embedding);
            output.write(Record {
                index: self.texts as u64,
                id: text.id.as_ref(),
                row: Row::None,
                tokens: embedding.tokens,
                dropped: embedding.dropped,
                dropped_is_exact: embedding.dropped_is_exact,
                vector: &embedding.vector,
            })?;
            self.texts += 1;
        }
        output.flush()
    }

    /// The library counts within one call; people count within the whole input, from 1.
    fn failure(&self, chunk: &[Text], error: &monomorph::Error) -> Failure {
        match error.text().and_then(|offset| Some((offset, chunk.get(offset)?))) {
            Some((offset, text)) => {
                Failure::Failed(format!("{}: {}", name(self.texts + offset, text), error.reason()))
            }
            None => Failure::Failed(error.to_string()),
        }
    }
}

/// What messages call a text; `index` counts from 0, people from 1.
fn name(index: usize, text: &Text) -> String {
    let number = index + 1;
    match &text.id {
        Some(id) => format!("text {number} (id {id})"),
        None => format!("text {number}"),
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
