//! What is done to a text before the model sees it, and to its vector after.

use std::fmt::Display;
use std::sync::LazyLock;

use clap::Args;
use monomorph::built::SPEC;
use monomorph::{
    EmbedOptions, Embedder, Embedding, Error, Prompt, Truncate, Unicode, prompt_by_name, prompts,
};

use super::choice::choice;
use super::failure::Failure;
use super::message;

/// The prefix put before every text.
#[derive(Args, Debug)]
pub struct PromptArgs {
    #[arg(long, value_name = "NAME", help = PROMPT_HELP.as_str())]
    #[arg(value_parser = prompt, conflicts_with = "prefix")]
    prompt: Option<Prompt>,

    /// Put STR before each text, exactly as it is
    #[arg(long, value_name = "STR")]
    prefix: Option<String>,

    /// The title of the texts, for a prompt that has a place for it
    #[arg(long, value_name = "STR", requires = "prompt")]
    title: Option<String>,
}

static PROMPT_HELP: LazyLock<String> = LazyLock::new(|| match prompts(&SPEC) {
    [] => "This model was trained without prompts: use --prefix".to_owned(),
    prompts => format!(
        "Put the model's prompt for this task before each text: {}, or one of their other names",
        names(prompts)
    ),
});

/// Principal names.
fn names<'a>(prompts: impl IntoIterator<Item = &'a Prompt>) -> String {
    prompts.into_iter().map(Prompt::name).collect::<Vec<_>>().join(", ")
}

fn prompt(name: &str) -> Result<Prompt, Error> {
    prompt_by_name(&SPEC, name)
}

/// The prompt for one side of a search, `query` or `document`; none where the model has none of that name.
pub fn role(name: &str) -> Option<Prompt> {
    Prompt::by_name(prompts(&SPEC), name)
}

/// Everything but the prefix.
#[derive(Args, Debug)]
pub struct PreparationArgs {
    /// Keep the first N values of each vector and normalise them again; the model was trained for 512, 256 and 128
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    dimensions: Option<u32>,

    /// What happens to a text longer than the model's window
    #[arg(long, value_name = "WHERE", default_value = "end", value_parser = choice::<Truncate>())]
    truncate: Truncate,

    /// Normalise the text before it is tokenized; the model's reference does not
    #[arg(long, value_name = "FORM", default_value = "none", value_parser = choice::<Unicode>())]
    unicode: Unicode,
}

impl PromptArgs {
    /// What the prefix is called: a prompt's name, none, or custom.
    pub fn name(&self) -> String {
        match (self.prompt, &self.prefix) {
            (Some(prompt), _) => prompt.to_string(),
            (None, Some(_)) => "custom".to_owned(),
            (None, None) => "none".to_owned(),
        }
    }

    /// The prompt by its name, if one was given.
    pub fn prompt(&self) -> Option<Prompt> {
        self.prompt
    }

    /// The prefix as a string, if there is one.
    pub fn prefix(&self) -> Result<Option<String>, Failure> {
        match (self.prompt, &self.title) {
            (Some(prompt), Some(_)) if prompt.titled.is_none() => {
                let others = prompts(&SPEC).iter().filter(|prompt| prompt.titled.is_some());
                Err(Failure::Usage(format!(
                    "--title: the prompt {prompt} has no place for a title; {} has",
                    names(others)
                )))
            }
            (Some(prompt), title) => Ok(Some(prompt.prefix(title.as_deref()).into_owned())),
            (None, _) => Ok(self.prefix.clone()),
        }
    }
}

impl PreparationArgs {
    /// The library's options for these arguments, without a prefix.
    pub fn options(&self, embedder: &Embedder) -> Result<EmbedOptions, Failure> {
        let available = embedder.info().dimensions;
        let dimensions = self.dimensions.map(|dimensions| dimensions as usize);
        if let Some(dimensions) = dimensions.filter(|&dimensions| dimensions > available) {
            return Err(Failure::Usage(format!(
                "--dimensions {dimensions}: this model's vectors have {available}"
            )));
        }
        Ok(EmbedOptions {
            dimensions,
            truncate: self.truncate,
            unicode: self.unicode,
            ..EmbedOptions::default()
        })
    }
}

/// Says on standard error that a text was cut at the window, if it was.
pub fn warn_if_cut(text: impl Display, embedding: &Embedding) {
    if embedding.dropped > 0 {
        let at_least = if embedding.dropped_is_exact { "" } else { "at least " };
        let (tokens, dropped) = (embedding.tokens, embedding.dropped);
        message::warning(format_args!(
            "{text}: cut to {tokens} tokens, {at_least}{dropped} dropped"
        ));
    }
}

/// Says which texts were cut at the window: each up to a number, the rest together.
#[derive(Default)]
pub struct Cuts(usize);

/// Texts that are reported each.
const MAX_CUTS: usize = 10;

impl Cuts {
    /// Takes note of one text.
    pub fn note(&mut self, text: impl Display, embedding: &Embedding) {
        if embedding.dropped > 0 {
            self.0 += 1;
            if self.0 <= MAX_CUTS {
                warn_if_cut(text, embedding);
            }
        }
    }

    /// Once there are no more texts.
    pub fn report_rest(&self) {
        if self.0 > MAX_CUTS {
            message::warning(format_args!("{} more texts were cut", self.0 - MAX_CUTS));
        }
    }
}
