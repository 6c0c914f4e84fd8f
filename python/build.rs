//! Writes the model's terms where the wheel's backend wants them: they must go along with the weights.
//!
//! Whatever is wrong with the file is left to the library's build, which says it.

use monomorph_gguf::{Header, read_prefix};
use monomorph_spec::Spec;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=MODEL_GGUF");
    println!("cargo::rerun-if-env-changed=MONOMORPH_TERMS");
    let (Some(model), Some(terms)) = (env::var_os("MODEL_GGUF"), env::var_os("MONOMORPH_TERMS"))
    else {
        return;
    };
    println!("cargo::rerun-if-changed={}", Path::new(&terms).display());
    if let Some(text) = text(Path::new(&model))
        && let Err(error) = fs::write(&terms, text)
    {
        println!("cargo::error={}: {error}", Path::new(&terms).display());
    }
}

fn text(model: &Path) -> Option<String> {
    let prefix = read_prefix(model).ok()?;
    let header = Header::parse(&prefix.bytes, prefix.file_len).ok()?;
    let spec = Spec::from_header(&header).ok()?;
    let stated: Vec<&str> = spec.license.stated().collect();
    let terms = spec.license.notice.as_deref().map(str::to_owned);
    let terms = terms.unwrap_or_else(|| format!("Its file states: {}\n", stated.join(", ")));
    Some(format!("The terms of the model {}\n\n{terms}", spec.name))
}
