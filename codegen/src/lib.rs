//! From a GGUF file to generated Rust: header, [`Spec`], constants, tables.
//!
//! [`Generated::from_file`] is the whole pipeline. What is generated follows from the header, the build's choices
//! and a file of prompts if it names one, except for two constants: the file's name, and the hash of its content that `monomorph verify` compares, for which
//! the rest of the file is read once. [`image::write`] is a second pipeline, for binaries that hold their weights.

#![forbid(unsafe_code)]

mod emit;
mod error;
pub mod image;
pub mod options;
pub mod prompts;
pub mod rope;
pub mod vocab;

pub use error::Error;
pub use monomorph_quant::image::Form;

use monomorph_gguf::{Header, read_prefix};
use monomorph_spec::{BuildOptions, Fingerprint, Prompt, Spec};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// What a build generates for a model, ready to be written.
pub struct Generated {
    /// What the header says under the build's choices, with the prompts that the build was given.
    pub spec: Spec,
    /// Rust source: `model.rs`.
    pub source: String,
    /// The tokenizer's tables: `vocabulary.bin`.
    pub vocabulary: Vec<u8>,
    /// RoPE's tables: `rope.bin`.
    pub rope: Vec<u8>,
}

impl Generated {
    /// Reads a model file.
    pub fn from_file(path: &Path, choices: BuildOptions) -> Result<Generated, Error> {
        Generated::from_file_with(path, choices, None)
    }

    /// [`Generated::from_file`], with these prompts in place of those that are known of the model.
    pub fn from_file_with(
        path: &Path,
        choices: BuildOptions,
        prompts: Option<Vec<Prompt>>,
    ) -> Result<Generated, Error> {
        let prefix = read_prefix(path)?;
        let header = Header::parse(&prefix.bytes, prefix.file_len)?;
        // This comes before the whole file is read, so that a bad file is refused at once.
        let mut spec = Spec::from_header_with(&header, choices)?;
        if let Some(prompts) = prompts {
            spec.prompts = prompts.into();
        }
        let content = content_hash(path).map_err(|error| Error::Read(path.into(), error))?;
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        Generated::new(&header, spec, &prefix.bytes, content, &file_name)
    }

    /// Generates code for a header, which was judged as `spec`. `bytes` begins with the header's own bytes, `content`
    /// is the hash of the whole file.
    pub fn new(
        header: &Header<'_>,
        spec: Spec,
        bytes: &[u8],
        content: u128,
        file_name: &str,
    ) -> Result<Generated, Error> {
        let fingerprint = Fingerprint::new(header, bytes, content)?;
        Ok(Generated {
            source: emit::source(&spec, &fingerprint, file_name),
            vocabulary: vocab::build(header, &spec.tokenizer)?,
            rope: rope::bytes(&spec),
            spec,
        })
    }

    /// Writes the files that the runtime includes.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let files: [(&str, &[u8]); 3] = [
            ("model.rs", self.source.as_bytes()),
            ("vocabulary.bin", &self.vocabulary),
            ("rope.bin", &self.rope),
        ];
        for (name, bytes) in files {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(|error| Error::Write(path, error))?;
        }
        Ok(())
    }
}

/// XXH3 (128 bits) of a file, read in pieces.
fn content_hash(path: &Path) -> std::io::Result<u128> {
    let mut file = File::open(path)?;
    let mut hash = Xxh3::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.digest128()),
            n => hash.update(&piece[..n]),
        }
    }
}
