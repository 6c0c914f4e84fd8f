//! Embeds any number of texts in bounded memory: one thread reads, the embedder's threads compute, the caller writes.
//! `cargo run --release --example stream`

use monomorph::{EmbedOptions, Embedder, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// A text and where it comes from.
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

    // This thread stands for a file or a database that is read while earlier texts are embedded.
    let (sender, notes) = sync_channel(256);
    let reader = thread::spawn(move || {
        let pages = (0..).map(|page| Note { page, text: format!("Page {page} of a long book.") });
        // Sending fails once the receiver is gone.
        pages.into_iter().try_for_each(|note| sender.send(note)).is_err()
    });

    let cancel = Arc::new(AtomicBool::new(false));
    let options = EmbedOptions { cancel: Some(cancel.clone()), ..EmbedOptions::default() };
    let stream = embedder.stream(notes, &options).read_ahead(2048);
    for (note, embedding) in stream.with_texts() {
        match embedding {
            Ok(embedding) => println!("page {}: {} tokens", note.page, embedding.tokens),
            // Texts that had been read ahead when the flag was set have no vector.
            Err(Error::Cancelled) => println!("stopped before page {}", note.page),
            Err(error) => return Err(error),
        }
        // In a real program another thread would set the flag, for example on Ctrl-C.
        cancel.store(note.page >= 999, Ordering::Relaxed);
    }
    assert!(reader.join().is_ok_and(|nobody_listened| nobody_listened));
    Ok(())
}
