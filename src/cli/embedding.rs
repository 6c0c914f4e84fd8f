//! How texts become vectors: the arguments of every command that embeds.

use clap::Args;
use monomorph::{EmbedOptions, Embedder, OpenOptions};

use super::failure::Failure;
use super::model::ModelArgs;
use super::preparation::{PreparationArgs, PromptArgs};
use super::records::TableArgs;

/// The model, and how texts are prepared for it.
#[derive(Args, Debug)]
pub struct EmbeddingArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub preparation: PreparationArgs,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// The same, for commands that output vectors.
#[derive(Args, Debug)]
pub struct VectorArgs {
    #[command(flatten)]
    pub embedding: EmbeddingArgs,

    /// Do not scale the vectors to length one
    #[arg(long)]
    no_normalize: bool,
}

impl EmbeddingArgs {
    /// Opens the model, with options added by `configure`, and returns the options to embed with.
    pub fn open(
        &self,
        configure: impl FnOnce(OpenOptions) -> OpenOptions,
    ) -> Result<(Embedder, EmbedOptions), Failure> {
        let prefix = self.prompt.prefix()?;
        let embedder = self.model.open(configure)?;
        let options = self.preparation.options(&embedder)?;
        Ok((embedder, EmbedOptions { prefix, ..options }))
    }
}

impl VectorArgs {
    /// As [`EmbeddingArgs::open`].
    pub fn open(
        &self,
        configure: impl FnOnce(OpenOptions) -> OpenOptions,
    ) -> Result<(Embedder, EmbedOptions), Failure> {
        let (embedder, options) = self.embedding.open(configure)?;
        Ok((embedder, EmbedOptions { normalize: !self.no_normalize, ..options }))
    }

    /// The same for a table: its texts may be many, so weights are repacked once.
    pub fn open_for_table(&self, table: &TableArgs) -> Result<(Embedder, EmbedOptions), Failure> {
        let (embedder, mut options) = self.open(|options| options.keep_panels(true))?;
        if table.has_titles() {
            // Each text already has its prompt, with its title.
            options.prefix = None;
        }
        Ok((embedder, options))
    }
}
