//! A model's terms, and the notices that some of them require with every copy.

use crate::fields::described;
use monomorph_gguf::{Error, Metadata, printable};
use std::borrow::Cow;

described! {
    /// The terms of a model, as its file states them.
    #[derive(Default)]
    pub struct License {
        /// `general.license`.
        pub id: Option<Cow<'static, str>>,
        /// `general.license.name`.
        pub name: Option<Cow<'static, str>>,
        /// `general.license.link`.
        pub link: Option<Cow<'static, str>>,
        /// The notice that these terms, or the architecture's if the file states none, require with every copy.
        pub notice: Option<Cow<'static, str>>,
    }
}

/// Terms that require a notice.
struct Terms {
    /// The value of `general.license` or of [`Arch::terms`](crate::arch::Arch::terms).
    id: &'static str,
    /// Phrases that identify them in longer values, in lower case.
    words: &'static [&'static str],
    notice: &'static str,
}

const TERMS: &[Terms] = &[Terms {
    id: "gemma",
    words: &["gemma terms of use", "ai.google.dev/gemma/terms"],
    // Section 3.1 of the terms requires the first sentence; section 3.2 has the limits on use.
    notice: "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n\n\
             Everyone who receives a copy of this model is bound by these terms, and must not use it for what the Gemma \
             Prohibited\nUse Policy restricts: https://ai.google.dev/gemma/prohibited_use_policy\n",
}];

impl License {
    /// The terms that the metadata state; `default` applies if they state none.
    pub(crate) fn from_metadata(
        metadata: &Metadata<'_>,
        default: Option<&str>,
    ) -> Result<License, Error> {
        let text = |key: &str| -> Result<Option<Cow<'static, str>>, Error> {
            Ok(metadata.optional(key)?.map(|text| printable(text).into()))
        };
        let mut license = License {
            id: text("general.license")?,
            name: text("general.license.name")?,
            link: text("general.license.link")?,
            notice: None,
        };
        let stated: Vec<String> = license.stated().map(str::to_lowercase).collect();
        let names = |terms: &&Terms| {
            let by_default = stated.is_empty() && default == Some(terms.id);
            let names = |text: &String| {
                text == terms.id || terms.words.iter().any(|words| text.contains(words))
            };
            by_default || stated.iter().any(names)
        };
        license.notice = TERMS.iter().find(names).map(|terms| terms.notice.into());
        Ok(license)
    }

    /// What the file states of its terms.
    pub fn stated(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name, &self.link].into_iter().filter_map(|text| text.as_deref())
    }
}
