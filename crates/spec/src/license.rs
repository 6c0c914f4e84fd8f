//! A model's terms, and the notices that some of them require with every copy.

use crate::fields::described;
use monomorph_gguf::{Error, Metadata, printable, printable_text};
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
        /// What the model was made from: `general.base_model.0`'s name, organization and repository.
        pub origin: Option<Cow<'static, str>>,
        /// `general.description`, where a changed model says what was changed.
        pub description: Option<Cow<'static, str>>,
        /// The notice that these terms, or the architecture's if the file states none, require with every copy.
        pub notice: Option<Cow<'static, str>>,
    }
}

/// Terms that require a notice; [`Arch::terms`](crate::arch::Arch::terms) has those of an architecture.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Their value of `general.license`.
    pub id: &'static str,
    /// Phrases that identify them in longer values, in lower case.
    pub words: &'static [&'static str],
    /// The notice.
    pub notice: &'static str,
}

impl License {
    /// No terms are stated.
    pub const NONE: License =
        License { id: None, name: None, link: None, origin: None, description: None, notice: None };

    /// The terms that the metadata state, whose notice is looked for among the `known`; `default` applies if they state none.
    pub(crate) fn from_metadata(
        metadata: &Metadata<'_>,
        default: Option<&Terms>,
        mut known: impl Iterator<Item = &'static Terms>,
    ) -> Result<License, Error> {
        let text = |key: &str| -> Result<Option<Cow<'static, str>>, Error> {
            Ok(metadata.optional(key)?.map(|text| printable(text).into()))
        };
        let mut license = License {
            id: text("general.license")?,
            name: text("general.license.name")?,
            link: text("general.license.link")?,
            origin: None,
            description: metadata
                .optional("general.description")?
                .map(|text| printable_text(text).into()),
            notice: None,
        };
        if let Some(name) = text("general.base_model.0.name")? {
            let part = |key: &str, before: &str, after: &str| -> Result<String, Error> {
                let part = text(&format!("general.base_model.0.{key}"))?;
                Ok(part.map(|part| format!("{before}{part}{after}")).unwrap_or_default())
            };
            let (by, at) = (part("organization", " by ", "")?, part("repo_url", " (", ")")?);
            license.origin = Some(format!("{name}{by}{at}").into());
        }
        let stated: Vec<String> = license.stated().map(str::to_lowercase).collect();
        let are_stated = |terms: &&Terms| {
            stated.iter().any(|text| {
                text == terms.id || terms.words.iter().any(|words| text.contains(words))
            })
        };
        let terms = match stated.is_empty() {
            true => default,
            false => known.find(are_stated),
        };
        license.notice = terms.map(|terms| terms.notice.into());
        Ok(license)
    }

    /// What the file states of its terms.
    pub fn stated(&self) -> impl Iterator<Item = &str> {
        [&self.id, &self.name, &self.link].into_iter().filter_map(|text| text.as_deref())
    }
}
