//! How texts become vectors: the arguments of every command that embeds.

use clap::Args;
use monomorph::{EmbedOptions, Embedder, OpenOptions};

use super::failure::Failure;
use super::model::ModelArgs;
use super::preparation::{PreparationArgs, PromptArgs};
use super::records::TableArgs;

/// The model, and what is done to a text on its way through it.
#[derive(Args, Debug)]
pub struct EmbeddingArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub preparation: PreparationArgs,
    #[command(flatten)]
    pub model: ModelArgs,
}

/// The same, of commands whose answer is the vectors.
#[derive(Args, Debug)]
pub struct VectorArgs {
    #[command(flatten)]
    pub embedding: EmbeddingArgs,

    /// Leave the vectors at the length the model gives them
    #[arg(long)]
    no_normalize: bool,
}

impl EmbeddingArgs {
    /// Opens the model, `configure`d for the command, with the library's options for these arguments.
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

    /// The same for the texts of a table, which may be many.
    pub fn open_for_table(&self, table: &TableArgs) -> Result<(Embedder, EmbedOptions), Failure> {
        let (embedder, mut options) = self.open(|options| options.keep_panels(true))?;
        if table.has_titles() {
            // The prompt is in each text, with its title.
            options.prefix = None;
        }
        Ok((embedder, options))
    }
}
