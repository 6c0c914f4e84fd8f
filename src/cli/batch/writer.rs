//! The last thread of a batch: writes vectors to the output, and checkpoints at intervals.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use monomorph::Embedding;

use super::checkpoint::{About, CheckpointFile, Progressed};
use super::progress::Progress;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, Record};
use crate::cli::preparation::Cuts;
use crate::cli::records::Entry;

/// A record with its vector, if it has one.
pub type Done = (Entry, Option<Embedding>);

/// Writes vectors and records progress in checkpoints.
pub struct Writer {
    output: Output,
    /// None where the output is not a regular file.
    checkpoints: Option<(CheckpointFile, About)>,
    progressed: Progressed,
    /// Bad records before the first record of the table or shard.
    bad_before: u64,
    /// Records that earlier runs skipped.
    skipped_before: u64,
    /// Texts and tokens that earlier runs wrote.
    before: (usize, usize),
    cuts: Cuts,
    every: Duration,
    last: Instant,
}

impl Writer {
    /// The two counts are of records that could not be read: before the table or shard, and before where this run
    /// begins.
    pub fn new(
        output: Output,
        [bad_before, bad]: [u64; 2],
        checkpoints: Option<(CheckpointFile, About)>,
        progressed: Progressed,
        every: Duration,
    ) -> Writer {
        Writer {
            output,
            checkpoints,
            bad_before,
            skipped_before: bad - bad_before + progressed.not_embedded,
            before: (progressed.texts, progressed.tokens),
            progressed,
            cuts: Cuts::default(),
            every,
            last: Instant::now(),
        }
    }

    /// Writes what arrives until the channel closes.
    pub fn run(
        mut self,
        receiver: &Receiver<Vec<Done>>,
        progress: &Progress,
    ) -> Result<Writer, Failure> {
        for chunk in receiver {
            let position = chunk.last().map(|(entry, _)| (entry.index + 1, entry.position));
            for (entry, embedding) in chunk {
                self.write(entry, embedding, progress)?;
            }
            self.output.flush()?;
            if let Some((index, position)) = position {
                let ((texts, tokens), _) = self.written();
                progress.update(texts, tokens, index, position);
            }
            if self.last.elapsed() >= self.every {
                self.checkpoint()?;
            }
        }
        progress.suspend(|| self.cuts.report_rest());
        Ok(self)
    }

    fn write(
        &mut self,
        entry: Entry,
        embedding: Option<Embedding>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        (self.progressed.records, self.progressed.digest) = (entry.index + 1, entry.digest);
        let Some(embedding) = embedding else {
            self.progressed.not_embedded += 1;
            return Ok(());
        };
        if embedding.dropped > 0 {
            progress.suspend(|| self.cuts.note(&entry.place, &embedding));
        }
        self.output.write(Record {
            index: entry.index,
            id: entry.id.as_ref(),
            row: entry.row,
            tokens: embedding.tokens,
            dropped: embedding.dropped,
            dropped_is_exact: embedding.dropped_is_exact,
            vector: &embedding.vector,
        })
    }

    /// Syncs everything written so far, and stores a checkpoint of it.
    pub fn checkpoint(&mut self) -> Result<(), Failure> {
        if let Some((file, about)) = &self.checkpoints {
            let (bytes, state) = self.output.checkpoint()?;
            let summary = self.output.summary();
            let progressed = &mut self.progressed;
            (progressed.texts, progressed.tokens) = (summary.texts, summary.tokens);
            progressed.bytes = bytes;
            file.store(about, progressed, &state, self.output.permissions()?)?;
        }
        self.last = Instant::now();
        Ok(())
    }

    /// Texts and tokens written in this run, and texts written in all runs.
    pub fn written(&self) -> ((usize, usize), usize) {
        let summary = self.output.summary();
        let (texts, tokens) = self.before;
        ((summary.texts - texts, summary.tokens - tokens), summary.texts)
    }

    /// Number of records without a vector, in all runs and in earlier ones; `bad` could not be read.
    pub fn skipped(&self, bad: u64) -> (u64, u64) {
        (bad - self.bad_before + self.progressed.not_embedded, self.skipped_before)
    }

    /// Completes the output and gives it its name.
    pub fn finish(self) -> Result<(), Failure> {
        self.output.finish()?;
        if let Some((file, _)) = &self.checkpoints {
            file.remove();
        }
        Ok(())
    }
}
