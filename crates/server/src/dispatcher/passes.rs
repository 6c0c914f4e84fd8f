//! The dispatcher's thread: it takes passes from the queue, runs the engine over them, and hands out what comes of it.

use super::job::{Finish, Job};
use super::{CALIBRATION, CALIBRATION_TEXT, Dispatcher, Running, State};
use crate::engine::{Between, EngineError};
use crate::failure::Failure;
use crate::queue::{Budget, Pass, Taken};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The texts of a pass.
type Texts = Vec<Taken<Arc<Job>>>;

/// What the thread does next.
enum Next {
    Pass(Texts, Flags),
    /// A pass of so many tokens to be timed, and how many have been before.
    Calibration(usize, usize),
}

/// How a pass may end, or rest.
#[derive(Clone)]
struct Flags {
    cancel: Arc<AtomicBool>,
    /// Whether it may be interrupted.
    may_rest: bool,
}

/// What the engine writes to, kept from pass to pass.
#[derive(Default)]
struct Rows {
    /// The rows of all texts that it ran over for their vectors.
    texts: Vec<f32>,
    /// Where the row of each text is whose vector is wanted, in order.
    places: Vec<Place>,
    /// For each text whose tokens are wanted, in order, the rows of all of them.
    tokens: Vec<Vec<f32>>,
}

/// Where a text's row is.
enum Place {
    /// Among those of the pass.
    Computed(usize),
    /// It was kept from before.
    Kept(Arc<[f32]>),
}

/// How much the engine ran over.
#[derive(Default)]
struct Work {
    texts: usize,
    tokens: usize,
    /// Time that passes in between took.
    between: Duration,
}

impl Dispatcher {
    pub(super) fn run(&self) {
        let mut rows = Rows::default();
        while let Some(next) = self.next() {
            match next {
                Next::Pass(pass, flags) => self.pass(pass, &flags, &mut rows),
                Next::Calibration(tokens, before) => {
                    self.calibrate(tokens, before, &mut rows.texts);
                }
            }
        }
    }

    /// The thread ends. Nothing waits any more, unless that is a fault.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.alive = false;
        let mut left = Vec::new();
        while !state.queue.is_empty() {
            left.extend(state.queue.take(Budget::UNLIMITED).texts);
        }
        drop(state);
        let failure = Failure::Engine("the engine's thread ended".to_owned());
        left.iter().for_each(|taken| taken.job.fail(failure.clone()));
    }

    /// What is to be done next, once there is something; `None` when all is done and nothing more can come.
    fn next(&self) -> Option<Next> {
        let mut state = self.lock();
        loop {
            if !state.queue.is_empty() {
                let budget = state.pace.budget();
                let Pass { texts, may_rest } = state.queue.take(budget);
                let flags = Flags::new(may_rest);
                state.running.push(Running::new(&texts, (self.clock)(), &flags));
                return Some(Next::Pass(texts, flags));
            }
            if state.closed {
                return None;
            }
            if let Some(tokens) = state.calibration.pop_front() {
                let before = CALIBRATION.len() - state.calibration.len() - 1;
                return Some(Next::Calibration(tokens, before));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn pass(&self, pass: Texts, flags: &Flags, rows: &mut Rows) {
        let begun = (self.clock)();
        let result = self.embed_pass(&pass, flags, rows);
        let took = (self.clock)().saturating_duration_since(begun);
        let mut state = self.lock();
        state.running.pop();
        match result {
            Ok(work) => {
                let took = took.saturating_sub(work.between);
                state.faults = 0;
                if work.texts > 0 {
                    state.pace.observe(work.tokens, took);
                    self.metrics.pass(work.texts, work.tokens, took);
                }
                drop(state);
                self.hand_out(&pass, took, rows);
            }
            // Nobody wants them: they are cancelled only then.
            Err(EngineError::Cancelled) => {}
            Err(EngineError::Failed(reason)) => fail(state, &pass, &Failure::Engine(reason)),
            Err(EngineError::Broken(reason)) => {
                state.broken = Some(reason.clone());
                fail(state, &pass, &Failure::Broken(reason));
            }
        }
    }

    /// Runs the engine: over all texts whose vectors are wanted at once, and over others one by one.
    fn embed_pass(
        &self,
        pass: &Texts,
        flags: &Flags,
        rows: &mut Rows,
    ) -> Result<Work, EngineError> {
        let cancel = &*flags.cancel;
        let ids = |of_tokens| {
            let wanted = pass.iter().filter(move |taken| is_of_tokens(taken) == of_tokens);
            wanted.map(|taken| taken.text.ids.as_slice())
        };
        let texts = self.place(ids(false), &mut rows.places);
        let mut work = Work::default();
        work.add(&texts);
        match (&texts[..], flags.may_rest) {
            ([], _) => {}
            (texts, true) => work.between = self.embed_long(texts, cancel, &mut rows.texts)?,
            (texts, false) => self.embed(texts, cancel, &mut rows.texts)?,
        }
        if let Some(cache) = &self.cache {
            let computed = rows.texts.chunks_exact(self.engine.facts().dimensions);
            texts.iter().zip(computed).for_each(|(ids, row)| cache.keep(ids, row));
        }
        rows.tokens.clear();
        for ids in ids(true) {
            let mut of_text = vec![0.0; ids.len() * self.engine.facts().n_embd];
            let run = || self.engine.token_rows(ids, cancel, &mut of_text);
            survived(catch_unwind(AssertUnwindSafe(run)))?;
            rows.tokens.push(of_text);
            work.add(&[ids]);
        }
        Ok(work)
    }

    /// The texts that the engine must run over: all of them, or, where rows are kept, each that is not known, once.
    fn place<'a>(
        &self,
        texts: impl Iterator<Item = &'a [u32]>,
        places: &mut Vec<Place>,
    ) -> Vec<&'a [u32]> {
        let (mut unknown, mut seen) = (Vec::new(), HashMap::new());
        places.clear();
        for ids in texts {
            let mut compute = || {
                unknown.push(ids);
                unknown.len() - 1
            };
            places.push(match &self.cache {
                None => Place::Computed(compute()),
                Some(cache) => match cache.get(ids) {
                    Some(row) => Place::Kept(row),
                    None => Place::Computed(*seen.entry(ids).or_insert_with(compute)),
                },
            });
        }
        unknown
    }

    /// Gives each request what its texts became.
    fn hand_out(&self, pass: &Texts, took: Duration, rows: &mut Rows) {
        // Each request counts the pass once.
        let mut counted = BTreeSet::new();
        let width = self.engine.facts().dimensions;
        let computed = &rows.texts;
        let mut texts = rows.places.iter().map(|place| match place {
            Place::Computed(index) => &computed[index * width..][..width],
            Place::Kept(row) => row,
        });
        let mut tokens = rows.tokens.drain(..);
        for taken in pass {
            let first = counted.insert(taken.request);
            let vector = match taken.job.finish {
                Finish::Vector { dimensions, normalize } => texts.next().and_then(|row| {
                    let finish = || self.engine.finish(row, dimensions, normalize);
                    catch_unwind(AssertUnwindSafe(finish)).unwrap_or_default()
                }),
                Finish::Tokens => {
                    tokens.next().filter(|rows| rows.iter().all(|value| value.is_finite()))
                }
            };
            let index = taken.text.index;
            match vector {
                Some(vector) => {
                    let took = if first { took } else { Duration::ZERO };
                    taken.job.give(index, vector, took, (self.clock)());
                }
                None => {
                    self.lock().queue.remove(taken.request);
                    taken.job.fail(Failure::NotFinite { text: index });
                }
            }
        }
    }

    /// Times a pass that nobody asked for. A fault is left for the first request to find.
    fn calibrate(&self, tokens: usize, before: usize, rows: &mut Vec<f32>) {
        let n_vocab = self.engine.facts().n_vocab.max(1);
        // No text begins as another one does: an engine may know it.
        let id = |i: usize| ((i + before) * 97 % n_vocab) as u32;
        let ids: Vec<u32> = (0..tokens).map(id).collect();
        let texts: Vec<&[u32]> = ids.chunks(CALIBRATION_TEXT).collect();
        let begun = (self.clock)();
        let result = self.embed(&texts, &AtomicBool::new(false), rows);
        let took = (self.clock)().saturating_duration_since(begun);
        if result.is_ok() && before > 0 {
            self.lock().pace.calibrate(tokens, took);
        }
    }

    /// Runs the engine over texts that may be interrupted, and survives it. Returns the time of what was in between.
    fn embed_long(
        &self,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        rows: &mut Vec<f32>,
    ) -> Result<Duration, EngineError> {
        rows.resize(texts.len() * self.engine.facts().dimensions, 0.0);
        let (mut others, mut took) = (Rows::default(), Duration::ZERO);
        let mut run = || took += self.interlude(&mut others);
        let wanted = || {
            let now = (self.clock)();
            self.lock().interrupts(now)
        };
        let between = Between { wanted: &wanted, run: &mut run };
        let embed = || self.engine.embed_long(texts, cancel, between, rows);
        survived(catch_unwind(AssertUnwindSafe(embed)))?;
        Ok(took)
    }

    /// A pass of short requests while one of long ones rests. Returns the time that it took.
    fn interlude(&self, rows: &mut Rows) -> Duration {
        let begun = (self.clock)();
        let mut state = self.lock();
        let budget = state.pace.budget();
        let pass = state.queue.take_between(budget);
        if pass.is_empty() {
            return Duration::ZERO;
        }
        let flags = Flags::new(false);
        state.running.push(Running::new(&pass, begun, &flags));
        drop(state);
        self.pass(pass, &flags, rows);
        let now = (self.clock)();
        let took = now.saturating_duration_since(begun);
        let mut state = self.lock();
        state.respite = now + state.pace.respite(took);
        if let Some(resting) = state.running.last_mut() {
            resting.begun += took;
        }
        took
    }

    /// Runs the engine, and survives it.
    fn embed(
        &self,
        ids: &[&[u32]],
        cancel: &AtomicBool,
        rows: &mut Vec<f32>,
    ) -> Result<(), EngineError> {
        // Every value is overwritten.
        rows.resize(ids.len() * self.engine.facts().dimensions, 0.0);
        let embed = || self.engine.embed(ids, cancel, rows);
        survived(catch_unwind(AssertUnwindSafe(embed)))
    }
}

impl Work {
    fn add(&mut self, texts: &[&[u32]]) {
        self.texts += texts.len();
        self.tokens += texts.iter().map(|ids| ids.len()).sum::<usize>();
    }
}

/// A panic is a failed pass.
fn survived(
    result: Result<Result<(), EngineError>, Box<dyn std::any::Any + Send>>,
) -> Result<(), EngineError> {
    result.unwrap_or_else(|_| Err(EngineError::Failed("the engine panicked".to_owned())))
}

fn is_of_tokens(taken: &Taken<Arc<Job>>) -> bool {
    taken.job.finish == Finish::Tokens
}

/// A pass has failed, and with it all requests that have a text in it.
fn fail(mut state: MutexGuard<'_, State>, pass: &Texts, failure: &Failure) {
    state.faults += 1;
    for taken in pass {
        state.queue.remove(taken.request);
    }
    drop(state);
    pass.iter().for_each(|taken| taken.job.fail(failure.clone()));
}

impl Flags {
    fn new(may_rest: bool) -> Flags {
        Flags { cancel: Arc::default(), may_rest }
    }
}

impl Running {
    fn new(pass: &Texts, begun: Instant, flags: &Flags) -> Running {
        let Flags { cancel, may_rest } = flags.clone();
        let mut requests = BTreeMap::new();
        for taken in pass {
            requests.entry(taken.request).or_insert_with(|| (taken.job.clone(), 0)).1 += 1;
        }
        let tokens = pass.iter().map(|taken| taken.text.ids.len()).sum();
        Running { requests, tokens, begun, cancel, may_rest }
    }
}
