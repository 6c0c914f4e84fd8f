//! Three threads in a row: one reads records, this one and its team embed them, one writes vectors. Between them stand
//! short queues, so the slowest sets the pace and memory stays bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use std::vec;

use monomorph::{EmbedOptions, Embedder, Error};

use super::progress::Progress;
use super::writer::{Done, Writer};
use crate::cli::failure::Failure;
use crate::cli::records::{Entry, Fault, Records};

/// What is handed on at a time, so that the queues cost nothing to speak of.
const CHUNK_TEXTS: usize = 256;
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that wait between two threads.
const QUEUE: usize = 4;
/// How soon a signal is noticed while the input makes us wait.
const LISTEN: Duration = Duration::from_millis(100);

/// What is to be done.
pub struct Job<'a> {
    pub embedder: &'a Embedder,
    pub options: &'a EmbedOptions,
    /// Whether bad records are left out.
    pub keep_going: bool,
    /// The record before which to stop; none for all.
    pub end: Option<u64>,
}

/// How a run ended that did not fail.
pub enum Ending {
    /// The output is in its place.
    Whole { left_out: u64 },
    /// A signal came. The output is where a checkpoint left it.
    Interrupted { texts: usize },
}

/// From the thread that reads.
enum Read {
    Entries(Vec<Entry>),
    /// Nothing follows; so many records were bad.
    End {
        bad: u64,
    },
    Failed(Failure),
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
    // It may wait for input forever, and is left behind then.
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
                "the thread that writes panicked, see the message above; this is a fault of monomorph".into(),
            )),
        }
    })?;
    let ended = match failure {
        Some(Stop::Failed(failure)) => Err(failure),
        Some(Stop::Cancelled) => Ok(None),
        None => match feed.ended {
            Some(Read::End { bad }) => Ok(Some(bad)),
            Some(Read::Failed(failure)) => Err(failure),
            Some(Read::Entries(_)) | None => Ok(None),
        },
    };
    let ((texts, tokens), in_all) = writer.written();
    let whole = ended.or_else(|failure| writer.checkpoint().and(Err(failure)))?;
    let Some(bad) = whole else {
        writer.checkpoint()?;
        return Ok(Ending::Interrupted { texts: in_all });
    };
    let left_out = writer.left_out(bad);
    writer.finish()?;
    progress.report(texts, tokens, job.embedder);
    Ok(Ending::Whole { left_out })
}

/// Sends records in chunks until there are no more, or nobody wants any.
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
                bytes += entry.text.len();
                chunk.push(entry);
            }
            Ok(None) => break Read::End { bad: records.bad() },
            Err(Fault::Record { place, reason }) if keep_going => {
                progress.warn(format_args!("{place}: {reason}; left out"));
            }
            Err(fault) => break Read::Failed(fault.into()),
        }
        if chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES {
            bytes = 0;
            if sender.send(Read::Entries(std::mem::take(&mut chunk))).is_err() {
                return;
            }
        }
    };
    // The receiver may have gone, which is no matter now.
    let _ = sender.send(Read::Entries(chunk)).and_then(|()| sender.send(last));
}

/// Records as they come from the thread that reads.
struct Feed {
    receiver: Receiver<Read>,
    chunk: vec::IntoIter<Entry>,
    cancel: Arc<AtomicBool>,
    /// What came last; none after a signal.
    ended: Option<Read>,
    over: bool,
}

impl Feed {
    fn new(receiver: Receiver<Read>, cancel: Arc<AtomicBool>) -> Feed {
        Feed { receiver, chunk: Vec::new().into_iter(), cancel, ended: None, over: false }
    }
}

impl Iterator for Feed {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        while !self.over {
            if let Some(entry) = self.chunk.next() {
                return Some(entry);
            }
            match self.receiver.recv_timeout(LISTEN) {
                Ok(Read::Entries(chunk)) => self.chunk = chunk.into_iter(),
                Ok(last) => (self.ended, self.over) = (Some(last), true),
                Err(RecvTimeoutError::Timeout) => self.over = self.cancel.load(Ordering::Relaxed),
                Err(RecvTimeoutError::Disconnected) => {
                    let message = "the thread that reads panicked, see the message above; this is a fault of monomorph";
                    self.ended = Some(Read::Failed(Failure::Failed(message.into())));
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
    Failed(Failure),
}

fn embed(
    job: &Job<'_>,
    feed: &mut Feed,
    sender: SyncSender<Vec<Done>>,
    progress: &Progress,
) -> Option<Stop> {
    let mut chunk: Vec<Done> = Vec::new();
    let mut stop = None;
    for (entry, embedding) in job.embedder.stream(feed, job.options).with_texts() {
        match embedding {
            Ok(embedding) => chunk.push((entry, Some(embedding))),
            Err(Error::Cancelled) => {
                stop = Some(Stop::Cancelled);
                break;
            }
            Err(error) if error.text().is_some() && job.keep_going => {
                progress.warn(format_args!("{}: {}; left out", entry.place, error.reason()));
                chunk.push((entry, None));
            }
            Err(error) => {
                let reason = match error.text() {
                    Some(_) => format!("{}: {}", entry.place, error.reason()),
                    None => error.to_string(),
                };
                stop = Some(Stop::Failed(Failure::Failed(reason)));
                break;
            }
        }
        // Writing has failed where nobody receives, and says why itself.
        if chunk.len() >= CHUNK_TEXTS && sender.send(std::mem::take(&mut chunk)).is_err() {
            return stop;
        }
    }
    let _ = sender.send(chunk);
    stop
}
