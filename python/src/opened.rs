//! An open model, and what becomes of it where the process forks.
//!
//! Threads do not survive a fork: a child that used its parent's embedder would wait for them for ever. So a child opens
//! the model again, which maps the same pages, and leaves the parent's alone.

use monomorph::{Embedder, Error, OpenOptions};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

/// How a model is opened.
pub struct How {
    /// The file; none for the model of the build.
    pub path: Option<PathBuf>,
    /// Everything else.
    pub options: OpenOptions,
}

/// An open model of one process.
pub struct Opened {
    process: u32,
    /// None only while it is dropped.
    embedder: Option<Embedder>,
}

impl How {
    /// Opens the model.
    pub fn open(&self) -> Result<Arc<Opened>, Error> {
        let options = self.options.clone();
        let embedder = match &self.path {
            Some(path) => options.open(path),
            None => options.open_built(),
        };
        Ok(Arc::new(Opened { process: process::id(), embedder: Some(embedder?) }))
    }
}

impl Opened {
    /// The embedder; none in another process than the one that opened it.
    pub fn embedder(&self) -> Option<&Embedder> {
        self.embedder.as_ref().filter(|_| self.process == process::id())
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // It would wait for its threads to end.
        if self.process != process::id() {
            std::mem::forget(self.embedder.take());
        }
    }
}
