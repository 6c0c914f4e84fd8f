//! A pipeline of three threads: one reads records, this one and its team embed them, one writes vectors. Short queues
//! connect them, so the slowest sets the pace and memory stays bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use std::vec;

use monomorph::{EmbedOptions, Embedder, Error};

use super::progress::Progress;
use super::writer::{Done, Writer};
use crate::cli::failure::Failure;
use crate::cli::records::{Entry, Fault, Records};

/// Size of what goes through a queue at a time: large enough that the queues cost next to nothing.
const CHUNK_TEXTS: usize = 256;
const CHUNK_BYTES: usize = 256 << 10;
/// What is read ahead of the embedder is paused at this size: a short text may have a picture beside it.
const AHEAD_BYTES: usize = 16 << 20;
/// Vectors of long texts do not wait for more than this.
const CHUNK_TIME: Duration = Duration::from_secs(1);
/// Chunks that may wait between two threads.
const QUEUE: usize = 4;
/// How soon a signal is noticed while waiting for input.
const LISTEN: Duration = Duration::from_millis(100);

/// What a run embeds, and how.
pub struct Job<'a> {
    pub embedder: &'a Embedder,
    pub options: &'a EmbedOptions,
    /// Whether bad records are skipped.
    pub keep_going: bool,
    /// Index of the record to stop before; none to read all.
    pub end: Option<u64>,
}

/// How a run ended, unless its output could not be written.
pub enum Ending {
    /// The output is complete and has its name.
    Whole {
        /// Records without a vector, those of earlier runs included.
        skipped: u64,
        /// Those of earlier runs.
        earlier: u64,
    },
    /// A signal arrived. The output is what the last checkpoint says.
    Interrupted { texts: usize },
    /// A record could not be read or embedded. The output is what the last checkpoint says.
    Failed {
        failure: Failure,
        /// Whether it is one record's, which --keep-going would skip.
        is_of_record: bool,
        texts: usize,
    },
}

/// Messages of the reading thread.
enum Read {
    Entries(Vec<Entry>),
    /// No record follows; `bad` could not be read.
    End {
        bad: u64,
    },
    Failed(Fault),
}

/// Runs the three threads until the input ends, something fails, or a signal comes.
pub fn run(
    job: &Job<'_>,
    records: Records,
    writer: Writer,
    progress: &Progress,
) -> Result<Ending, Failure> {
    let never = Arc::new(AtomicBool::new(false));
    let cancel = job.options.cancel.clone().unwrap_or(never);
    let (sender, receiver) = sync_channel(QUEUE);
    let (keep_going, end, shown) = (job.keep_going, job.end, progress.clone());
    // This thread may wait for input forever; it is not joined.
    thread::spawn(move || read(records, end, keep_going, &shown, &sender));
    let mut feed = Feed::new(receiver, cancel);
    let (mut writer, failure) = thread::scope(|scope| {
        let (sender, receiver) = sync_channel(QUEUE);
        let writing = scope.spawn(move || writer.run(&receiver, progress));
        let failure = embed(job, &mut feed, sender, progress);
        match writing.join() {
            Ok(Ok(writer)) => Ok((writer, failure)),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Failed(
                "the writing thread panicked, see the message above; this is a bug in monomorph"
                    .into(),
            )),
        }
    })?;
    let ended = match failure {
        Some(Stop::Failed(fault)) => Err(fault),
        Some(Stop::Cancelled) => Ok(None),
        None => match feed.ended {
            Some(Read::End { bad }) => Ok(Some(bad)),
            Some(Read::Failed(fault)) => Err(fault),
            Some(Read::Entries(_)) | None => Ok(None),
        },
    };
    let ((texts, tokens), in_all) = writer.written();
    let bad = match ended {
        Ok(Some(bad)) => bad,
        Ok(None) => {
            writer.checkpoint()?;
            return Ok(Ending::Interrupted { texts: in_all });
        }
        Err(fault) => {
            writer.checkpoint()?;
            let is_of_record = matches!(fault, Fault::Record { .. });
            return Ok(Ending::Failed { failure: fault.into(), is_of_record, texts: in_all });
        }
    };
    let (skipped, earlier) = writer.skipped(bad);
    writer.finish()?;
    progress.report(texts, tokens, job.embedder);
    Ok(Ending::Whole { skipped, earlier })
}

/// Sends records in chunks until the input ends or the receiver is gone.
fn read(
    mut records: Records,
    end: Option<u64>,
    keep_going: bool,
    progress: &Progress,
    sender: &SyncSender<Read>,
) {
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    let last = loop {
        if end.is_some_and(|end| records.index() >= end) {
            break Read::End { bad: records.bad() };
        }
        match records.next() {
            Ok(Some(entry)) => {
                bytes += entry.bytes();
                chunk.push(entry);
            }
            Ok(None) => break Read::End { bad: records.bad() },
            Err(Fault::Record { place, reason }) if keep_going => {
                progress.warn(format_args!("{place}: {reason}; skipped"));
            }
            Err(fault) => break Read::Failed(fault),
        }
        if chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES {
            bytes = 0;
            if sender.send(Read::Entries(std::mem::take(&mut chunk))).is_err() {
                return;
            }
        }
    };
    // If the receiver is gone, there is nobody to tell.
    let _ = sender.send(Read::Entries(chunk)).and_then(|()| sender.send(last));
}

/// Records as they arrive from the reading thread.
struct Feed {
    receiver: Receiver<Read>,
    chunk: vec::IntoIter<Entry>,
    cancel: Arc<AtomicBool>,
    /// The last message; none after a signal.
    ended: Option<Read>,
    over: bool,
    /// Bytes of the entries since the last pause.
    ahead: usize,
}

impl Feed {
    fn new(receiver: Receiver<Read>, cancel: Arc<AtomicBool>) -> Feed {
        Feed { receiver, chunk: Vec::new().into_iter(), cancel, ended: None, over: false, ahead: 0 }
    }
}

impl Iterator for Feed {
    type Item = Entry;

    /// None is the end, or a pause: the stream then embeds what it has and asks again.
    fn next(&mut self) -> Option<Entry> {
        if self.ahead >= AHEAD_BYTES {
            self.ahead = 0;
            return None;
        }
        while !self.over {
            if let Some(entry) = self.chunk.next() {
                self.ahead += entry.bytes();
                return Some(entry);
            }
            match self.receiver.recv_timeout(LISTEN) {
                Ok(Read::Entries(chunk)) => self.chunk = chunk.into_iter(),
                Ok(last) => (self.ended, self.over) = (Some(last), true),
                Err(RecvTimeoutError::Timeout) => self.over = self.cancel.load(Ordering::Relaxed),
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "the reading thread panicked, see the message above; this is a bug in monomorph";
                    self.ended = Some(Read::Failed(Fault::Input(Failure::Failed(message.into()))));
                    self.over = true;
                }
            }
        }
        None
    }
}

/// Why embedding stopped early.
enum Stop {
    Cancelled,
    Failed(Fault),
}

fn embed(
    job: &Job<'_>,
    feed: &mut Feed,
    sender: SyncSender<Vec<Done>>,
    progress: &Progress,
) -> Option<Stop> {
    let (mut chunk, mut bytes): (Vec<Done>, usize) = (Vec::new(), 0);
    let (mut stop, mut sent) = (None, Instant::now());
    for (mut entry, embedding) in job.embedder.stream(feed, job.options).with_texts() {
        entry.row.fill(std::mem::take(&mut entry.text));
        bytes += entry.bytes();
        match embedding {
            Ok(embedding) => chunk.push((entry, Some(embedding))),
            Err(Error::Cancelled) => {
                stop = Some(Stop::Cancelled);
                break;
            }
            Err(error) if error.text().is_some() && job.keep_going => {
                progress.warn(format_args!("{}: {}; skipped", entry.place, error.reason()));
                chunk.push((entry, None));
            }
            Err(error) => {
                stop = Some(Stop::Failed(match error.text() {
                    Some(_) => Fault::Record { place: entry.place, reason: error.reason() },
                    None => Fault::Input(Failure::Failed(error.to_string())),
                }));
                break;
            }
        }
        // A closed channel means that writing has failed; the writer reports why.
        let is_full = chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES;
        if is_full || sent.elapsed() >= CHUNK_TIME {
            (sent, bytes) = (Instant::now(), 0);
            if sender.send(std::mem::take(&mut chunk)).is_err() {
                return stop;
            }
        }
    }
    let _ = sender.send(chunk);
    stop
}
