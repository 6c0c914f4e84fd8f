//! A table of texts, whose vectors are made while it is read.

use monomorph::{EmbedOptions, Embedder, Embedding};

use super::{Label, Next, Vectors};
use crate::cli::failure::Failure;
use crate::cli::input::Source;
use crate::cli::message;
use crate::cli::preparation::Cuts;
use crate::cli::records::{Entry, Records};

/// Texts after which a table is large: to embed it again for every search is worth a word.
const MANY: u64 = 1000;

pub struct Texts<'a> {
    source: Source,
    name: String,
    embedder: &'a Embedder,
    options: EmbedOptions,
    /// The texts of the last call into the library, and their vectors.
    chunk: Vec<Entry>,
    embeddings: Vec<Embedding>,
    /// The next of them.
    place: usize,
    /// Texts read so far.
    read: u64,
    cuts: Cuts,
}

impl<'a> Texts<'a> {
    pub fn new(
        table: Records,
        name: String,
        embedder: &'a Embedder,
        options: EmbedOptions,
    ) -> Texts<'a> {
        let (chunk, embeddings, cuts) = Default::default();
        let source = Source::new(table);
        Texts { source, name, embedder, options, chunk, embeddings, place: 0, read: 0, cuts }
    }

    fn embed_chunk(&mut self) -> Result<(), Failure> {
        self.source.next_chunk(&mut self.chunk)?;
        self.place = 0;
        let before = self.read;
        self.read += self.chunk.len() as u64;
        if before < MANY && self.read >= MANY {
            let prompt = self.options.prompt.map(|prompt| format!(" --prompt {prompt}"));
            message::note(format_args!(
                "every search embeds all texts of {name} again; for a large table, make the vectors once and search \
                 those: monomorph batch{} --input {name} --output VECTORS",
                prompt.unwrap_or_default(),
                name = self.name
            ));
        }
        let failure = |error: monomorph::Error| match error.text().and_then(|i| self.chunk.get(i)) {
            Some(text) => Failure::Failed(format!("{}: {}", text.place, error.reason())),
            None => error.into(),
        };
        self.embeddings = self.embedder.run(&self.chunk, &self.options).map_err(failure)?;
        for (text, embedding) in self.chunk.iter().zip(&self.embeddings) {
            self.cuts.note(&text.place, embedding);
        }
        Ok(())
    }
}

impl Vectors for Texts<'_> {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        if self.place == self.chunk.len() {
            self.embed_chunk()?;
        }
        let Some(embedding) = self.embeddings.get(self.place) else {
            self.cuts.report_rest();
            return Ok(Next::End);
        };
        self.place += 1;
        vector.clone_from(&embedding.vector);
        Ok(Next::Vector)
    }

    fn label(&self) -> Label {
        let entry = self.place.checked_sub(1).and_then(|place| self.chunk.get(place));
        entry.map_or_else(Label::default, |entry| Label {
            id: entry.id.clone(),
            text: Some(entry.text.clone()),
            place: None,
            color: None,
        })
    }
}
