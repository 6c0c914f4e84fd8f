//! Finds what is known of a model by its name.

use crate::arch::{Arch, Known};
use monomorph_gguf::{Error, Metadata};

/// The first entry of the architecture that fits one of the names that a file states, or [`Known::NOTHING`].
pub(crate) fn of(metadata: &Metadata<'_>, arch: &Arch) -> Result<&'static Known, Error> {
    let mut names = Vec::new();
    for key in ["general.name", "general.basename"] {
        names.push(words(metadata.optional::<&str>(key)?.unwrap_or_default()));
    }
    let fits = |known: &&Known| {
        let models = known.models.iter();
        models.clone().any(|model| names.iter().any(|name| has_all(name, model)))
    };
    Ok(arch.known.iter().find(fits).unwrap_or(&Known::NOTHING))
}

fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn has_all(name: &[String], words: &[&str]) -> bool {
    words.iter().all(|word| name.iter().any(|other| other == word))
}
