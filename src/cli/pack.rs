//! `monomorph pack`: the weights as a file for programs that get them as bytes.

use std::path::PathBuf;

use clap::Args;
use monomorph::{Error, Form, built};

use super::failure::Failure;
use super::output::{self, Destination};
use super::{message, model};

/// Write the weights as this binary uses them, for a browser or another program of the same model
///
/// The library's open_bytes takes the file, as do --model and the package for browsers. It has neither the header nor
/// the vocabulary of the GGUF file, and fits binaries of this model alone.
#[derive(Args, Debug)]
#[command(after_help = "\
Panels are what products read: nothing is repacked when they are opened. They take at least one byte for each weight.
With 4-bit weights, --blocks gives a smaller file, which is repacked when it is opened.

Examples:
  monomorph pack --output model.bin
  monomorph pack --blocks --model embeddinggemma-300m-Q4_0.gguf --output model.bin")]
pub struct PackArgs {
    /// GGUF file to pack [default: $MODEL_GGUF, else the weights inside, else the path given to the build]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Write to FILE, which is replaced only once everything has been written
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Keep the blocks of the GGUF file, instead of repacking them as panels
    #[arg(long)]
    blocks: bool,
}

pub fn run(args: &PackArgs) -> Result<(), Failure> {
    let file = model::file(args.model.as_deref());
    let read = model::path(args.model.as_deref());
    output::must_be_none_of(Some(&args.output), read.as_deref().map(|path| ("the model", path)))?;
    let form = if args.blocks { Form::Blocks } else { Form::Panels };
    let mut to = Destination::file(&args.output)?;
    let path = file.as_ref().map(|file| file.path.as_path());
    let n_bytes = monomorph::pack(path, form, &mut to).map_err(|error| match (error, &file) {
        (Error::Write(error), _) => to.failure(&error),
        (error, Some(file)) => file.failure(error),
        (error, None) => model::of_built(error),
    })?;
    to.finish()?;
    message::line(format_args!("{n_bytes} bytes of {}", built::NAME));
    Ok(())
}
