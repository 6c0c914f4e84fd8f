//! The file behind a mapping, watched: what was mapped is used only while the file is as it was opened.
//!
//! A look at the file's length and time of modification takes about a microsecond. It cannot exclude a change in the
//! middle of a request; a service that was told too late still hears of it with the next one, instead of being ended by
//! SIGBUS or giving vectors of half-written weights for ever.

use crate::error::Error;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file as it was when it was opened. It stays open, so that a file renamed over it is another one.
pub struct Watch {
    file: File,
    path: PathBuf,
    opened: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    len: u64,
    /// None where the file system keeps no such time.
    modified: Option<SystemTime>,
}

impl Watch {
    /// Watches a file from now on.
    pub fn new(file: File, path: &Path) -> io::Result<Watch> {
        let opened = State::of(&file.metadata()?);
        Ok(Watch { file, path: path.into(), opened })
    }

    /// The file, to map it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// [`Error::Changed`] if the file has been written to or cut since it was opened.
    pub fn check(&self) -> Result<(), Error> {
        let failed = |error| Error::Open { path: self.path.clone(), error };
        let now = State::of(&self.file.metadata().map_err(failed)?);
        if now == self.opened {
            return Ok(());
        }
        let (opened_bytes, bytes) = (self.opened.len, now.len);
        Err(Error::Changed { path: self.path.clone(), opened_bytes, bytes })
    }
}

impl State {
    fn of(metadata: &Metadata) -> State {
        State { len: metadata.len(), modified: metadata.modified().ok() }
    }
}
