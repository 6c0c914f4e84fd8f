//! What an interrupted run leaves for the next one: how far it got, and with what options.
//!
//! The file is replaced as a whole, after the output has been synced up to that point, so it never claims too much.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::failure::Failure;

/// The options that determine the vectors, by name.
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

    /// Replaces the checkpoint.
    pub fn store(
        &self,
        about: &About,
        progressed: &Progressed,
        state: &[u8],
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
            let mut file = File::create(new)?;
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
        for (key, now) in about {
            let then = self.about.get(*key).map_or("", String::as_str);
            if then != now {
                return Err(Failure::Failed(format!(
                    "the unfinished run was started with {key} {then:?}, not {now:?}; repeat its options, or start over \
                     with --restart"
                )));
            }
        }
        Ok(())
    }
}
