//! Any number of texts with bounded memory: one thread reads, the threads of the embedder compute, the caller writes.
//! `cargo run --release --example stream`

use monomorph::{EmbedOptions, Embedder, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// A text and what belongs to it.
struct Note {
    page: usize,
    text: String,
}

impl AsRef<str> for Note {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// Runs the example.
pub fn main() -> Result<(), Error> {
    let embedder = Embedder::open_built()?;

    // Stands for a file or a database that is read while earlier texts are embedded.
    let (sender, notes) = sync_channel(256);
    let reader = thread::spawn(move || {
        let pages = (0..).map(|page| Note { page, text: format!("Page {page} of a long book.") });
        // Sending fails once nobody listens.
        pages.into_iter().try_for_each(|note| sender.send(note)).is_err()
    });

    let cancel = Arc::new(AtomicBool::new(false));
    let options = EmbedOptions { cancel: Some(cancel.clone()), ..EmbedOptions::default() };
    let stream = embedder.stream(notes, &options).read_ahead(2048);
    for (note, embedding) in stream.with_texts() {
        match embedding {
            Ok(embedding) => println!("page {}: {} tokens", note.page, embedding.tokens),
            // What had been read ahead when the flag was set has no vector.
            Err(Error::Cancelled) => println!("stopped before page {}", note.page),
            Err(error) => return Err(error),
        }
        // A person's Ctrl-C would set the flag, from another thread.
        cancel.store(note.page >= 999, Ordering::Relaxed);
    }
    assert!(reader.join().is_ok_and(|nobody_listened| nobody_listened));
    Ok(())
}
