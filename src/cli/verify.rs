//! `monomorph verify`: checks that a file is the one that the binary was built from.

use std::path::PathBuf;

use clap::Args;
use monomorph::{Embedder, built};

use super::failure::Failure;
use super::{message, model};

/// Compare a whole model file with the one this binary was built from, by a hash of its content
///
/// Opening a model checks its size, tensors and vocabulary; this reads every byte. If the weights are inside the binary
/// and no file is given, they are checked instead.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  monomorph verify --model embeddinggemma-300m-Q8_0.gguf")]
pub struct VerifyArgs {
    /// GGUF file to check [default: $MODEL_GGUF, else the weights inside, else the path given to the build]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let path = match model::file(args.model.as_deref()) {
        None if built::IS_EMBEDDED => {
            Embedder::verify_embedded()?;
            message::line(format_args!(
                "the weights inside this binary are those of its build ({})",
                built::NAME
            ));
            return Ok(());
        }
        None => {
            let path = PathBuf::from(built::SOURCE);
            Embedder::verify(&path).map_err(model::of_built)?;
            path
        }
        Some(file) => {
            Embedder::verify(&file.path).map_err(|error| file.failure(error))?;
            file.path
        }
    };
    message::line(format_args!(
        "{} is the file this binary was built from ({})",
        path.display(),
        built::NAME
    ));
    Ok(())
}
