//! `monomorph ranges`: the minimum and maximum of each dimension, for int8 and uint8.

use std::path::PathBuf;

use clap::Args;
use monomorph::{Quantizer, Ranges, built};

use super::embedding::VectorArgs;
use super::failure::Failure;
use super::message;
use super::output::{self, Destination, Npy, Output, Record, Summary};
use super::preparation::{self, Cuts};
use super::records::{Row, TableArgs};

/// Find the range of each dimension over a sample of texts, which --precision int8 and uint8 need
#[derive(Args, Debug)]
#[command(after_help = preparation::help("\
The file is a NumPy array of float32, shape (2, dimensions): the minimums, then the maximums, as the argument `ranges`
of sentence-transformers' quantize_embeddings takes them. Use the same options as for the vectors. The sample is the
table's first records: if they are sorted, shuffle them first. A few thousand texts are enough.

Example:
  monomorph ranges --prompt document --input notes.jsonl --output ranges.npy
  monomorph batch --prompt document --input notes.jsonl --output notes.npy --precision int8 --ranges ranges.npy"))]
pub struct RangesArgs {
    #[command(flatten)]
    table: TableArgs,

    /// Write the ranges to FILE, in npy format
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Number of texts to sample, from the start of the table
    #[arg(long, value_name = "N", default_value = "10000", value_parser = clap::value_parser!(u32).range(2..))]
    sample: u32,

    #[command(flatten)]
    vectors: VectorArgs,
}

pub fn run(args: &RangesArgs) -> Result<(), Failure> {
    let model = args.vectors.embedding.model.file();
    let model = model.as_deref().map(|path| ("the model", path));
    let inputs = args.table.inputs()?;
    let files = inputs.0.iter().map(|input| ("the input", input.path.as_path()));
    output::must_be_none_of(Some(&args.output), files.chain(model))?;
    let mut records = args.table.open(&inputs, false, args.vectors.embedding.prompt.prompt())?;
    let (embedder, options) = args.vectors.open_for_table(&args.table)?;

    let mut fault = None;
    let sample = std::iter::from_fn(|| {
        records.next().unwrap_or_else(|found| {
            fault = Some(found);
            None
        })
    });
    let (mut ranges, mut cuts) = (Ranges::default(), Cuts::default());
    let mut texts = 0;
    for (entry, embedding) in
        embedder.stream(sample.take(args.sample as usize), &options).with_texts()
    {
        let embedding = embedding
            .map_err(|error| Failure::Failed(format!("{}: {}", entry.place, error.reason())))?;
        cuts.note(&entry.place, &embedding);
        ranges.include(&embedding.vector);
        texts += 1;
    }
    cuts.report_rest();
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    if texts < 2 {
        return Err(Failure::Failed(format!("{}: needs at least two texts", inputs.name())));
    }
    let quantizer = Quantizer::default();
    let summary = Summary::new(built::NAME, quantizer.precision(), ranges.least.len());
    let destination = Destination::file(&args.output)?;
    let mut output = Output::begin(Box::new(Npy::default()), destination, quantizer, summary)?;
    for (index, vector) in [&ranges.least, &ranges.greatest].into_iter().enumerate() {
        output.write(Record {
            index: index as u64,
            id: None,
            row: Row::None,
            tokens: 0,
            dropped: 0,
            dropped_is_exact: true,
            vector,
        })?;
    }
    output.finish()?;
    message::line(format_args!("ranges of {texts} texts"));
    Ok(())
}
