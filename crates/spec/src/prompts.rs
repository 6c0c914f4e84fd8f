//! Prompts: what a model was trained to find before a text, to tell what its vector is for.

use std::borrow::Cow;
use std::fmt;

/// A prefix for one use of a vector, such as a query of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt {
    /// What it is called, the principal name first: in lower case, with `-` between words.
    pub names: &'static [&'static str],
    /// What is put before a text without a title.
    pub prefix: &'static str,
    /// What is put before a title, and between it and the text; none where titles have no place.
    pub titled: Option<(&'static str, &'static str)>,
}

impl Prompt {
    /// A prompt without a place for a title.
    pub const fn new(names: &'static [&'static str], prefix: &'static str) -> Prompt {
        Prompt { names, prefix, titled: None }
    }

    /// A prompt with a place for a title: `before` it, and `between` it and the text.
    pub const fn titled(
        names: &'static [&'static str],
        prefix: &'static str,
        before: &'static str,
        between: &'static str,
    ) -> Prompt {
        Prompt { names, prefix, titled: Some((before, between)) }
    }

    /// The prompt of that name among these. Case does not matter, and `_` or a space may stand for `-`.
    pub fn by_name(prompts: &[Prompt], name: &str) -> Option<Prompt> {
        let plain = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        prompts.iter().find(|prompt| prompt.names.contains(&plain.as_str())).copied()
    }

    /// The principal name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// What is put before a text. A title is ignored where it has no place.
    pub fn prefix(&self, title: Option<&str>) -> Cow<'static, str> {
        match (self.titled, title) {
            (Some((before, between)), Some(title)) => format!("{before}{title}{between}").into(),
            _ => self.prefix.into(),
        }
    }
}

impl fmt::Display for Prompt {
    /// The principal name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The prompts of EmbeddingGemma's model card, with the names that sentence-transformers and MTEB have for them.
pub const EMBEDDING_GEMMA: &[Prompt] = &[
    Prompt::new(
        &["query", "retrieval-query", "bitext-mining", "reranking"],
        "task: search result | query: ",
    ),
    Prompt::titled(
        &["document", "retrieval-document"],
        "title: none | text: ",
        "title: ",
        " | text: ",
    ),
    Prompt::new(&["clustering"], "task: clustering | query: "),
    Prompt::new(&["classification", "multilabel-classification"], "task: classification | query: "),
    Prompt::new(&["instruction-retrieval", "code-retrieval"], "task: code retrieval | query: "),
    Prompt::new(&["pair-classification", "sts"], "task: sentence similarity | query: "),
    Prompt::new(&["summarization"], "task: summarization | query: "),
    Prompt::new(&["question-answering"], "task: question answering | query: "),
    Prompt::new(&["fact-checking"], "task: fact checking | query: "),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_prompt() {
        for prompt in EMBEDDING_GEMMA {
            for name in prompt.names {
                for given in [name.to_string(), name.to_uppercase().replace('-', "_")] {
                    assert_eq!(Prompt::by_name(EMBEDDING_GEMMA, &given), Some(*prompt));
                }
            }
        }
        assert_eq!(Prompt::by_name(EMBEDDING_GEMMA, "serch"), None);
        assert_eq!(Prompt::by_name(&[], "query"), None);
    }

    #[test]
    fn names_and_prefixes_differ() {
        for (i, prompt) in EMBEDDING_GEMMA.iter().enumerate() {
            assert!(prompt.prefix.ends_with(": "), "{prompt}");
            for other in &EMBEDDING_GEMMA[..i] {
                assert_ne!(other.prefix, prompt.prefix);
                assert!(other.names.iter().all(|name| !prompt.names.contains(name)), "{prompt}");
            }
        }
    }

    #[test]
    fn titles_have_a_place_in_some() {
        let document = Prompt::by_name(EMBEDDING_GEMMA, "document").unwrap();
        assert_eq!(document.prefix(None), "title: none | text: ");
        assert_eq!(document.prefix(Some("Mars")), "title: Mars | text: ");
        let query = Prompt::by_name(EMBEDDING_GEMMA, "query").unwrap();
        assert_eq!(query.prefix(Some("Mars")), "task: search result | query: ");
    }
}
