//! What an interrupted run leaves for the next one: how far it got, and with what options.
//!
//! The file is replaced as a whole, after the output has been synced up to that point, so it never claims too much.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::failure::Failure;

/// What determines the vectors: most entries are options, by name and as they are typed; one without an entry was not
/// given.
pub type About = BTreeMap<&'static str, String>;

/// How far a run got.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Progressed {
    /// Records of the input that are done, written or skipped, including those before the shard.
    pub records: u64,
    /// Digest of the texts of all of them.
    pub digest: u64,
    pub texts: usize,
    pub tokens: usize,
    /// Records that were read but could not be embedded.
    pub not_embedded: u64,
    /// Length of the output.
    pub bytes: u64,
}

/// A checkpoint, read.
#[derive(Debug)]
pub struct Checkpoint {
    pub progressed: Progressed,
    about: BTreeMap<String, String>,
    /// State of the format, to resume from.
    pub state: Vec<u8>,
}

/// The first line of the file; the format's state follows.
#[derive(Deserialize, Serialize)]
struct Header<A> {
    /// Version of the program that wrote it.
    monomorph: String,
    about: A,
    progressed: Progressed,
}

/// Where checkpoints are kept.
#[derive(Debug)]
pub struct CheckpointFile(pub PathBuf);

impl CheckpointFile {
    /// The last checkpoint; none if there is no file.
    pub fn load(&self) -> Result<Option<Checkpoint>, Failure> {
        let name = self.0.display();
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::reading(name, &error)),
        };
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let header: Header<BTreeMap<String, String>> = serde_json::from_slice(&bytes[..end])
            .map_err(|_| {
                Failure::Failed(format!("{name} is not a checkpoint; --restart starts over"))
            })?;
        if header.monomorph != env!("CARGO_PKG_VERSION") {
            return Err(Failure::Failed(format!(
                "{name} was written by version {}, this is {}; finish with that version, or start over with --restart",
                header.monomorph,
                env!("CARGO_PKG_VERSION")
            )));
        }
        Ok(Some(Checkpoint {
            progressed: header.progressed,
            about: header.about,
            state: bytes.get(end + 1..).unwrap_or_default().to_vec(),
        }))
    }

    /// Replaces the checkpoint; it may be read by those who may read the output.
    pub fn store(
        &self,
        about: &About,
        progressed: &Progressed,
        state: &[u8],
        permissions: Permissions,
    ) -> Result<(), Failure> {
        let header = Header {
            monomorph: env!("CARGO_PKG_VERSION").to_owned(),
            about,
            progressed: progressed.clone(),
        };
        let write = |new: &Path| {
            let mut bytes = serde_json::to_vec(&header)?;
            bytes.push(b'\n');
            bytes.extend_from_slice(state);
            // Left by a run that was killed, or a link of somebody else's.
            if let Err(error) = fs::remove_file(new)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = OpenOptions::new().write(true).create_new(true).open(new)?;
            // It holds texts: the least and the greatest of each of Parquet's row groups.
            file.set_permissions(permissions)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(new, &self.0)
        };
        let mut new = self.0.clone().into_os_string();
        new.push(".new");
        write(Path::new(&new)).map_err(|error| Failure::writing(self.0.display(), &error))
    }

    /// Deletes it, once the output is complete.
    pub fn remove(&self) {
        // A checkpoint that stays does no harm: without its part it means nothing.
        let _ = fs::remove_file(&self.0);
    }
}

impl Checkpoint {
    /// Refuses to resume with options other than those the run was started with.
    pub fn must_be_about(&self, about: &About) -> Result<(), Failure> {
        let then = |key: &str| typed(key, self.about.get(key));
        let now = |key: &str| typed(key, about.get(key));
        let keys = self.about.keys().map(String::as_str).chain(about.keys().copied());
        let differing = keys.filter(|key| then(key) != now(key));
        // A prompt has its prefix, but only the prompt's name was typed.
        let Some(key) = differing.min_by_key(|key| (*key == "prefix", *key)) else {
            return Ok(());
        };
        let how = match (key, then(key), now(key)) {
            ("model", ..) => "with another model file".to_owned(),
            ("quantizer", ..) => "with other --ranges or --bit-order".to_owned(),
            ("normalize", Some("true"), _) => "without --no-normalize".to_owned(),
            ("normalize", ..) => "with --no-normalize".to_owned(),
            (_, Some(then), Some(now)) => {
                format!("with --{key} {}, not --{key} {}", word(then), word(now))
            }
            (_, Some(then), None) => format!("with --{key} {}", word(then)),
            (_, None, _) => format!("without --{key}"),
        };
        Err(Failure::Failed(format!(
            "the unfinished run was started {how}; repeat its options, or start over with --restart"
        )))
    }
}

/// The value of an option as it was typed; none if it was not given.
fn typed<'a>(key: &str, value: Option<&'a String>) -> Option<&'a str> {
    let absent: &[&str] = match key {
        // "custom" stands for --prefix, which has an entry of its own.
        "prompt" => &["none", "custom"],
        "prefix" => &[""],
        _ => &[],
    };
    value.map(String::as_str).filter(|value| !absent.contains(value))
}

/// A value in a message, quoted where it is not one plain word.
fn word(value: &str) -> String {
    let is_plain =
        !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_plain { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Options<'a> = &'a [(&'static str, &'a str)];

    #[test]
    fn differences_are_named_as_they_are_typed() {
        let run = |options: Options| -> About {
            let all = [
                ("model", "41ab"),
                ("quantizer", "9f3c"),
                ("normalize", "true"),
                ("prompt", "none"),
                ("prefix", ""),
                ("column", "text"),
            ];
            all.iter().chain(options).map(|(key, value)| (*key, (*value).to_owned())).collect()
        };
        let document = [("prompt", "document"), ("prefix", "title: none | text: ")];
        let titled = [("prompt", "document"), ("prefix", "title: a b | text: "), ("title", "a b")];
        let custom = [("prompt", "custom"), ("prefix", "a: ")];
        let cases: &[(Options, Options, &str)] = &[
            (&[], &[("column", "body")], "with --column text, not --column body"),
            (&[("column", "a b")], &[], "with --column \"a b\", not --column text"),
            (&[], &[("id-column", "key")], "without --id-column"),
            (&[("shard", "0/3")], &[], "with --shard 0/3"),
            (&[("model", "0")], &[], "with another model file"),
            (&[("quantizer", "0")], &[], "with other --ranges or --bit-order"),
            (&[("normalize", "false")], &[], "with --no-normalize"),
            (&[], &[("normalize", "false")], "without --no-normalize"),
            (&document, &[], "with --prompt document"),
            (&[], &document, "without --prompt"),
            (&document, &titled, "without --title"),
            (&custom, &[], "with --prefix \"a: \""),
            (&custom, &document, "without --prompt"),
        ];
        for (then, now, how) in cases {
            let stored = run(then).into_iter().map(|(key, value)| (key.to_owned(), value));
            let checkpoint = Checkpoint {
                progressed: Progressed::default(),
                about: stored.collect(),
                state: Vec::new(),
            };
            checkpoint.must_be_about(&run(then)).unwrap();
            let Err(Failure::Failed(message)) = checkpoint.must_be_about(&run(now)) else {
                panic!("{how}: no failure");
            };
            let expected = format!("the unfinished run was started {how}; repeat its options");
            assert!(message.starts_with(&expected), "{message}");
        }
    }
}
