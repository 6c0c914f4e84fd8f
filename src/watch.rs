//! Detects changes of a mapped file: the mapping is used only while the file is unchanged.
//!
//! Checking the file's length and modification time takes about a microsecond. It cannot rule out a change in the
//! middle of a request; but the next request fails, so that a service neither dies of SIGBUS nor keeps returning
//! vectors of half-written weights.

use crate::error::Error;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file and its state when it was opened. It stays open, so that a file renamed over it is a different one.
pub struct Watch {
    file: File,
    path: PathBuf,
    opened: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    len: u64,
    /// None if the file system does not record it.
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
