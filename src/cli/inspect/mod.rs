//! `monomorph inspect`: describes a GGUF file, and whether this binary fits it; or describes this binary.

mod own;
mod print;
mod report;
mod tensors;

use std::path::{Path, PathBuf};

use clap::Args;
use monomorph_gguf::{Error, Header, read_prefix};
use serde::Serialize;

use super::failure::Failure;
use super::{message, output};
use own::Own;
use report::Report;

/// Describe a GGUF file: metadata, tensors, model variant, memory, and whether this binary fits it
///
/// Only the header is read. A GGUF file that this program cannot run is described as far as it can be read. With
/// --self, the binary describes the model it was built for, and says whether it needs a file.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  monomorph inspect embeddinggemma-300m-Q8_0.gguf
  monomorph inspect --json model.gguf | jq .model.variant
  monomorph inspect --self")]
pub struct InspectArgs {
    /// The file
    #[arg(value_name = "FILE", required_unless_present = "own")]
    file: Option<PathBuf>,

    /// Describe this binary instead of a file
    #[arg(long = "self", conflicts_with = "file")]
    own: bool,

    /// Print one JSON object, with every tensor
    #[arg(long)]
    json: bool,
}

pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let (answer, notes) = match &args.file {
        Some(file) => of_file(file, args.json)?,
        None => {
            let own = Own::new();
            (if args.json { json(&own)? } else { print::own(&own) }, own.model.notes)
        }
    };
    output::print(answer.as_bytes())?;
    notes.iter().for_each(message::warning);
    Ok(())
}

fn of_file(file: &Path, as_json: bool) -> Result<(String, Vec<String>), Failure> {
    let failed = |error: Error| match error {
        Error::Io { .. } | Error::NotAFile { .. } => Failure::Failed(error.to_string()),
        _ => Failure::Failed(format!("{}: {error}", file.display())),
    };
    let prefix = read_prefix(file).map_err(failed)?;
    let header = Header::parse(&prefix.bytes, prefix.file_len).map_err(failed)?;
    let report = Report::new(file, &header);
    let answer = if as_json { json(&report)? } else { print::for_people(&report) };
    Ok((answer, report.model.map(|model| model.notes).unwrap_or_default()))
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(report);
    Ok(text.map_err(|error| Failure::Failed(error.to_string()))? + "\n")
}
