//! The prompts EmbeddingGemma was trained with.
//!
//! A prompt is a prefix that tells the model what the vector is for. No prompt is the default, and a
//! search works best with [`Prompt::Query`] on the question and [`Prompt::Document`] on what is searched.

use std::borrow::Cow;
use std::fmt;

/// What a vector is for; chosen by name with [`Prompt::by_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// A search query, to be compared with documents.
    Query,
    /// A document to be found; the only prompt with a title.
    Document,
    /// Texts to be grouped by similarity.
    Clustering,
    /// Texts to be sorted into given classes.
    Classification,
    /// A request in words for a piece of code.
    CodeRetrieval,
    /// Two texts whose likeness is to be judged.
    SentenceSimilarity,
    /// A text to be summarised.
    Summarization,
    /// A question whose answer is sought.
    QuestionAnswering,
    /// A claim whose evidence is sought.
    FactChecking,
}

/// Every name a prompt may be called by. A prompt's first name is its principal one.
const NAMES: [(&str, Prompt); 16] = [
    ("query", Prompt::Query),
    ("retrieval-query", Prompt::Query),
    ("bitext-mining", Prompt::Query),
    ("reranking", Prompt::Query),
    ("document", Prompt::Document),
    ("retrieval-document", Prompt::Document),
    ("clustering", Prompt::Clustering),
    ("classification", Prompt::Classification),
    ("multilabel-classification", Prompt::Classification),
    ("instruction-retrieval", Prompt::CodeRetrieval),
    ("code-retrieval", Prompt::CodeRetrieval),
    ("pair-classification", Prompt::SentenceSimilarity),
    ("sts", Prompt::SentenceSimilarity),
    ("summarization", Prompt::Summarization),
    ("question-answering", Prompt::QuestionAnswering),
    ("fact-checking", Prompt::FactChecking),
];

impl Prompt {
    /// Every prompt once, in the order of [`Prompt::names`].
    pub const ALL: [Prompt; 9] = [
        Prompt::Query,
        Prompt::Document,
        Prompt::Clustering,
        Prompt::Classification,
        Prompt::CodeRetrieval,
        Prompt::SentenceSimilarity,
        Prompt::Summarization,
        Prompt::QuestionAnswering,
        Prompt::FactChecking,
    ];

    /// The prompt of that name. Case does not matter, and `_` or a space may stand for `-`.
    ///
    /// ```
    /// use monomorph::Prompt;
    ///
    /// assert_eq!(Prompt::by_name("Retrieval-query").unwrap(), Prompt::Query);
    /// assert!(Prompt::by_name("poetry").unwrap_err().to_string().contains("question-answering"));
    /// ```
    pub fn by_name(name: &str) -> Result<Prompt, UnknownPrompt> {
        let plain = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        NAMES
            .iter()
            .find(|(known, _)| *known == plain)
            .map(|&(_, prompt)| prompt)
            .ok_or_else(|| UnknownPrompt { name: name.to_owned() })
    }

    /// Every name that [`Prompt::by_name`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|&(name, _)| name)
    }

    /// This prompt's names, the principal one first.
    pub fn own_names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |&&(_, prompt)| prompt == self).map(|&(name, _)| name)
    }

    /// Whether [`Prompt::prefix`] has a place for a title.
    pub fn takes_title(self) -> bool {
        self == Prompt::Document
    }

    /// What is put before the text. Only [`Prompt::Document`] has a place for the title; the others ignore it.
    ///
    /// ```
    /// use monomorph::Prompt;
    ///
    /// assert_eq!(Prompt::Query.prefix(None), "task: search result | query: ");
    /// assert_eq!(Prompt::Document.prefix(Some("Mars")), "title: Mars | text: ");
    /// ```
    pub fn prefix(self, title: Option<&str>) -> Cow<'static, str> {
        let fixed = match (self, title) {
            (Prompt::Document, Some(title)) => {
                return Cow::Owned(format!("title: {title} | text: "));
            }
            (Prompt::Document, None) => "title: none | text: ",
            (Prompt::Query, _) => "task: search result | query: ",
            (Prompt::Clustering, _) => "task: clustering | query: ",
            (Prompt::Classification, _) => "task: classification | query: ",
            (Prompt::CodeRetrieval, _) => "task: code retrieval | query: ",
            (Prompt::SentenceSimilarity, _) => "task: sentence similarity | query: ",
            (Prompt::Summarization, _) => "task: summarization | query: ",
            (Prompt::QuestionAnswering, _) => "task: question answering | query: ",
            (Prompt::FactChecking, _) => "task: fact checking | query: ",
        };
        Cow::Borrowed(fixed)
    }
}

impl fmt::Display for Prompt {
    /// The principal name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.own_names().next().unwrap_or_default())
    }
}

/// The name given to [`Prompt::by_name`] is none of [`Prompt::names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPrompt {
    /// The name as it was given.
    pub name: String,
}

impl fmt::Display for UnknownPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown prompt {:?}; known: ", self.name)?;
        for (i, name) in Prompt::names().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownPrompt {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_a_name_that_finds_it() {
        for prompt in Prompt::ALL {
            assert_eq!(Prompt::by_name(&prompt.to_string()), Ok(prompt));
        }
        for name in Prompt::names() {
            let prompt = Prompt::by_name(name).unwrap();
            assert!(Prompt::ALL.contains(&prompt) && prompt.own_names().any(|own| own == name));
            assert_eq!(Prompt::by_name(&name.to_uppercase().replace('-', "_")), Ok(prompt));
        }
    }

    #[test]
    fn prefixes_differ_and_end_where_the_text_begins() {
        for (i, prompt) in Prompt::ALL.into_iter().enumerate() {
            let prefix = prompt.prefix(None);
            assert!(prefix.ends_with(": "), "{prompt}");
            assert!(Prompt::ALL[..i].iter().all(|other| other.prefix(None) != prefix), "{prompt}");
            assert_eq!(prompt.takes_title(), prompt.prefix(Some("t")) != prefix, "{prompt}");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let message = Prompt::by_name("serch").unwrap_err().to_string();
        assert!(message.starts_with("unknown prompt \"serch\"; known: query, "), "{message}");
        assert!(!message.contains('\n'));
    }
}
