//! How a text is prepared for the model, and its vector afterwards.

use std::fmt::Display;
use std::sync::LazyLock;

use clap::Args;
use monomorph::built::SPEC;
use monomorph::{
    EmbedOptions, Embedder, Embedding, Error, Prompt, Truncate, Unicode, prompt_by_name,
};

use super::choice::choice;
use super::failure::Failure;
use super::message;

/// The prefix of every text.
#[derive(Args, Debug)]
pub struct PromptArgs {
    #[arg(long, value_name = "NAME", help = PROMPT_HELP.as_str())]
    #[arg(value_parser = prompt, conflicts_with = "prefix")]
    prompt: Option<Prompt>,

    /// Prepend STR to each text, verbatim
    #[arg(long, value_name = "STR")]
    prefix: Option<String>,

    /// Title of the texts, for a prompt that takes a title
    #[arg(long, value_name = "STR", requires = "prompt")]
    title: Option<String>,
}

static PROMPT_HELP: LazyLock<String> = LazyLock::new(|| prompt_help("each text"));

/// Help for --prompt, which goes before `text`.
pub fn prompt_help(text: &str) -> String {
    match &SPEC.prompts[..] {
        [] => "No prompts are known for this model: use --prefix, or build with MONOMORPH_PROMPTS"
            .to_owned(),
        prompts => format!(
            "Prepend the model's prompt for this task to {text}: {}, or one of their other names",
            names(prompts)
        ),
    }
}

/// The shortest name of each.
fn names<'a>(prompts: impl IntoIterator<Item = &'a Prompt>) -> String {
    let shortest = |prompt: &Prompt| prompt.names.iter().copied().min_by_key(|name| name.len());
    prompts.into_iter().filter_map(shortest).collect::<Vec<_>>().join(", ")
}

/// The model's prompt of that name.
pub fn prompt(name: &str) -> Result<Prompt, Error> {
    prompt_by_name(&SPEC, name)
}

/// A command's help with its examples, which ask for no prompt that the model lacks.
pub fn help(text: &str) -> String {
    let lacking = ["query", "document"].into_iter().filter(|name| role(name).is_none());
    lacking.fold(text.to_owned(), |text, name| text.replace(&format!(" --prompt {name} "), " "))
}

/// The names of the prompts that take a title; none where the model has no such prompt.
pub fn titled() -> Option<String> {
    let titled = names(SPEC.prompts.iter().filter(|prompt| prompt.titled.is_some()));
    Some(titled).filter(|names| !names.is_empty())
}

/// The prompt for one side of a search, `query` or `document`; none where the model has none of that name.
pub fn role(name: &str) -> Option<Prompt> {
    Prompt::by_name(&SPEC.prompts, name)
}

/// Preparation other than the prefix.
#[derive(Args, Debug)]
pub struct PreparationArgs {
    /// Keep the first N values of each vector and normalise again; models trained for it (Matryoshka) lose little
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    dimensions: Option<u32>,

    /// What to do with a text longer than the model's context
    #[arg(long, value_name = "WHERE", default_value = "end", value_parser = choice::<Truncate>())]
    truncate: Truncate,

    /// Apply this Unicode normalisation form to each text before tokenizing it
    #[arg(long, value_name = "FORM", default_value = "none", value_parser = choice::<Unicode>())]
    unicode: Unicode,
}

impl PromptArgs {
    /// The name of the prefix: a prompt's, "none" or "custom".
    pub fn name(&self) -> String {
        match (self.prompt, &self.prefix) {
            (Some(prompt), _) => prompt.to_string(),
            (None, Some(_)) => "custom".to_owned(),
            (None, None) => "none".to_owned(),
        }
    }

    /// The prompt that was asked for.
    pub fn prompt(&self) -> Option<Prompt> {
        self.prompt
    }

    /// The title that was given. One without a letter is none.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref().filter(|title| !title.trim().is_empty())
    }

    /// The prefix, if there is one.
    pub fn prefix(&self) -> Result<Option<String>, Failure> {
        match (self.prompt, self.title()) {
            (Some(prompt), Some(_)) if prompt.titled.is_none() => {
                Err(Failure::Usage(match titled() {
                    Some(other) => {
                        format!("--title: the prompt {prompt} takes no title; {other} does")
                    }
                    None => "--title: this model has no prompt that takes a title".to_owned(),
                }))
            }
            (Some(prompt), title) => Ok(Some(prompt.prefix(title).into_owned())),
            (None, _) => Ok(self.prefix.clone()),
        }
    }
}

impl PreparationArgs {
    pub fn unicode(&self) -> Unicode {
        self.unicode
    }

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

/// Warns if a text was cut to the model's context.
pub fn warn_if_cut(text: impl Display, embedding: &Embedding) {
    if embedding.dropped > 0 {
        let at_least = if embedding.dropped_is_exact { "" } else { "at least " };
        let (tokens, dropped) = (embedding.tokens, embedding.dropped);
        message::warning(format_args!(
            "{text}: cut to {tokens} tokens, {at_least}{dropped} dropped"
        ));
    }
}

/// Warns of texts that were cut to the model's context: the first ones by name, the rest as a number.
#[derive(Default)]
pub struct Cuts(usize);

/// Number of cut texts that are named.
const MAX_CUTS: usize = 10;

impl Cuts {
    /// Counts a text, and warns if it was cut.
    pub fn note(&mut self, text: impl Display, embedding: &Embedding) {
        if embedding.dropped > 0 {
            self.0 += 1;
            if self.0 <= MAX_CUTS {
                warn_if_cut(text, embedding);
            }
        }
    }

    /// Reports the number of those that were not named.
    pub fn report_rest(&self) {
        if self.0 > MAX_CUTS {
            let rest = (self.0 - MAX_CUTS) as u64;
            let were = if rest == 1 { "was" } else { "were" };
            message::warning(format_args!("{} {were} cut", message::counted(rest, "more text")));
        }
    }
}
