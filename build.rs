//! Chooses the model, generates its code, and tells cargo when to run again.

use monomorph_codegen::options::Place;
use monomorph_codegen::{Error, Form, Generated, image, options, prompts};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a build without MODEL_GGUF takes. Its weights go inside the binary unless MONOMORPH_EMBED says otherwise: as
/// blocks, which are half as large and repacked in a millisecond.
const DEFAULT_MODEL: &str = "testdata/default.gguf";

fn main() {
    for variable in
        ["MODEL_GGUF", options::POOLING, options::CONTEXT, options::EMBED, prompts::PROMPTS]
    {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let given = env::var_os("MODEL_GGUF").filter(|path| !path.is_empty());
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let model = root.join(given.as_deref().unwrap_or(DEFAULT_MODEL.as_ref()));
    if model.to_string_lossy().contains('\n') {
        println!(
            "cargo::error=MODEL_GGUF has a line break in its path; give the file another name"
        );
        return;
    }
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rustc-env=MONOMORPH_SOURCE={}", model.display());
    println!("cargo::rustc-env=MONOMORPH_IS_DEFAULT={}", u8::from(given.is_none()));

    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let chosen = options::from_environment()
        .and_then(|options| Ok((options, options::embed_from_environment()?)));
    let (options, place) = match chosen {
        Ok((options, Some(place))) => (options, place),
        Ok((options, None)) if given.is_none() => (options, Place::Inside(Form::Blocks)),
        Ok((options, None)) => (options, Place::File),
        Err(error) => return println!("cargo::error={error}"),
    };
    println!("cargo::rustc-check-cfg=cfg(monomorph_embed)");
    println!("cargo::rustc-check-cfg=cfg(monomorph_embed_blocks)");
    let prompts = env::var_os(prompts::PROMPTS).filter(|path| !path.is_empty()).map(|path| {
        let path = root.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        prompts::read(&path)
    });
    let prompts = match prompts.transpose() {
        Ok(prompts) => prompts,
        Err(error) => return println!("cargo::error={error}"),
    };
    let result = Generated::from_file_with(&model, options, prompts).and_then(|generated| {
        generated.write(&out)?;
        if let Place::Inside(form) = place {
            let image = image::write(&model, &generated.spec, form, &out)?;
            println!("cargo::rustc-cfg=monomorph_embed");
            if form == Form::Blocks {
                println!("cargo::rustc-cfg=monomorph_embed_blocks");
            }
            println!("cargo::rustc-env=MONOMORPH_WEIGHTS={}", image.quoted_path());
            println!("cargo::rustc-env=MONOMORPH_WEIGHTS_BYTES={}", image.n_bytes);
            println!("cargo::rustc-env=MONOMORPH_WEIGHTS_HASH={:032x}", image.hash);
        }
        Ok(generated.spec.notes)
    });
    match result {
        Ok(notes) => notes.iter().for_each(|note| println!("cargo::warning={note}")),
        Err(error) => println!("cargo::error={}{error}", subject(&error, given.as_deref(), &model)),
    }
}

/// What the error is about, where it does not say that itself: the variable is to blame only if it is set.
fn subject(error: &Error, given: Option<&OsStr>, model: &Path) -> String {
    match (error, given) {
        (Error::Write(..), _) => String::new(),
        (error, Some(_)) if error.names_model() => "MODEL_GGUF: ".to_owned(),
        (error, None) if error.names_model() => String::new(),
        (_, Some(_)) => format!("MODEL_GGUF={}: ", model.display()),
        (_, None) => format!("{DEFAULT_MODEL}: "),
    }
}
