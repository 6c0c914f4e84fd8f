//! `monomorph inspect`: what a GGUF file holds, and whether this binary fits it.

mod print;
mod report;
mod tensors;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use monomorph_gguf::{Error, FileShape, Header, read_prefix};

use super::failure::Failure;
use super::message;
use report::Report;

/// Describe a GGUF file: metadata, tensors, which shape of the model it is, memory, and whether this binary fits it
///
/// Only the header is read. Any GGUF file will do; one that is no model for this program is described as far as it goes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  monomorph inspect embeddinggemma-300m-Q8_0.gguf
  monomorph inspect --json model.gguf | jq .model.shape")]
pub struct InspectArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Print one JSON object, with every tensor
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let failed = |error: Error| match error {
        Error::Io { .. } | Error::NotAFile { .. } => Failure::Failed(error.to_string()),
        _ => Failure::Failed(format!("{}: {error}", args.file.display())),
    };
    let prefix = read_prefix(&args.file).map_err(failed)?;
    let header = Header::parse(&prefix.bytes, prefix.file_len).map_err(failed)?;
    let report = Report::new(&args.file, &header);
    let answer = if args.json {
        serde_json::to_string_pretty(&report).map_err(|error| Failure::Failed(error.to_string()))?
            + "\n"
    } else {
        print::for_people(&report)
    };
    let mut out = io::stdout().lock();
    out.write_all(answer.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::writing("standard output", &error))?;
    if report.shape() == Some(FileShape::WithoutDense) {
        message::warning(
            "this file lacks the model's dense heads: its vectors lie in another space and must not be compared \
             with those of the whole model",
        );
    }
    Ok(())
}
