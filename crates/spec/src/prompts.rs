//! Prompts: the prefixes that a model was trained to see before a text.
//!
//! Files do not hold them; each architecture has a table of the models that are known to have some.

use crate::fields::described;
use std::borrow::Cow;
use std::fmt;

described! {
    /// A prefix that tells the model what a text's vector is for.
    #[derive(Copy, Eq)]
    pub struct Prompt {
        /// All its names, the principal one first: lower case, words joined by `-`.
        pub names: &'static [&'static str],
        /// What is put before the text.
        pub prefix: &'static str,
        /// What is put before a title, and between the title and the text, if the prompt has a place for a title.
        pub titled: Option<[&'static str; 2]>,
    }
}

impl Prompt {
    /// A prompt without a place for a title.
    pub const fn new(names: &'static [&'static str], prefix: &'static str) -> Prompt {
        Prompt { names, prefix, titled: None }
    }

    /// A prompt with a place for a title; `prefix` is for texts without one.
    pub const fn titled(
        names: &'static [&'static str],
        prefix: &'static str,
        around_title: [&'static str; 2],
    ) -> Prompt {
        Prompt { names, prefix, titled: Some(around_title) }
    }

    /// A name as [`Prompt::names`] writes it: in lower case, with `-` for `_` and for spaces.
    pub fn plain_name(name: &str) -> String {
        name.trim().to_ascii_lowercase().replace(['_', ' '], "-")
    }

    /// The prompt of that name among `prompts`. Case does not matter, and `_` or a space may stand for `-`.
    pub fn by_name(prompts: &[Prompt], name: &str) -> Option<Prompt> {
        let plain = Prompt::plain_name(name);
        prompts.iter().copied().find(|prompt| prompt.names.contains(&plain.as_str()))
    }

    /// The principal name.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// What is put before a text with this title, or with none. Prompts without a place for a title ignore it.
    pub fn prefix(&self, title: Option<&str>) -> Cow<'static, str> {
        match (self.titled, title) {
            (Some([before, behind]), Some(title)) => format!("{before}{title}{behind}").into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch;

    /// Checks the table of every architecture.
    #[test]
    fn names_find_their_prompt_and_prefixes_differ() {
        let known = arch::ALL.iter().flat_map(|arch| arch.known);
        for prompts in known.map(|known| known.prompts) {
            for (i, prompt) in prompts.iter().enumerate() {
                for name in prompt.names {
                    assert_eq!(Prompt::by_name(prompts, name), Some(*prompt), "{name}");
                    let other = format!(" {}", name.to_uppercase().replace('-', "_"));
                    assert_eq!(Prompt::by_name(prompts, &other), Some(*prompt), "{name}");
                }
                let prefix = prompt.prefix(None);
                assert!(prompts[..i].iter().all(|other| other.prefix(None) != prefix));
                assert_eq!(prompt.titled.is_some(), prompt.prefix(Some("t")) != prefix);
            }
            assert_eq!(Prompt::by_name(prompts, "poetry"), None);
        }
    }
}
