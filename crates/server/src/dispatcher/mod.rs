//! The one thread that runs passes, and how requests reach it.
//!
//! A request asks to be admitted, turns its texts into ids, and submits them; its [`Ticket`] becomes the vectors. The
//! thread takes passes from the [`Queue`] as long as something waits, with a budget that the [`Pace`] sets, and hands
//! out each text's vector as soon as it is there.
//!
//! Timeouts, clients that leave, and shutdown are one mechanism: the ticket is dropped. Its texts leave the queue at
//! once, and a pass that nobody wants any more is cancelled.

mod job;
mod passes;
#[cfg(test)]
mod tests;
mod ticket;

use crate::cache::Cache;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::queue::{Budget, Kind, Queue, Size};
use job::Job;
pub use job::{Done, Finish};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
pub use ticket::Admission;

/// Tokens of the passes that are only run to be timed, the first of them to bring the weights into memory.
const CALIBRATION: [usize; 5] = [16, 16, 256, 16, 256];
/// They have texts of so many tokens: a single long one takes longer, so that a pass of few tokens would seem to have no
/// fixed cost.
const CALIBRATION_TEXT: usize = 32;
/// So many failed passes in a row are no accident.
const MOST_FAULTS: u32 = 3;
/// A pass that takes longer does not end any more.
const LONGEST_PASS: Duration = Duration::from_secs(60);
/// When a refused client may come again, at the earliest and the latest.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Where the time comes from: tests have a clock of their own.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What the dispatcher is told.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest a pass should take.
    pub pass: Duration,
    /// Requests are refused if they would wait longer.
    pub max_wait: Duration,
    /// No request may take longer.
    pub timeout: Duration,
}

/// The engine's thread, from the outside.
pub struct Dispatcher {
    engine: Arc<dyn Engine>,
    settings: Settings,
    metrics: Arc<Metrics>,
    /// What texts became before; none if nothing is kept.
    cache: Option<Arc<Cache>>,
    clock: Clock,
    state: Mutex<State>,
    /// Something was added to the queue, or it was closed.
    changed: Condvar,
}

struct State {
    queue: Queue<Arc<Job>>,
    pace: Pace,
    /// Estimated tokens of requests that were admitted and not submitted yet: short ones, long ones.
    arriving: [usize; 2],
    /// The passes under way: one and, if that is interrupted, the one in between.
    running: Vec<Running>,
    /// Until then, no pass is interrupted again.
    respite: Instant,
    /// Passes that are still to be timed.
    calibration: VecDeque<usize>,
    /// Failed passes in a row.
    faults: u32,
    /// Why no pass can succeed any more.
    broken: Option<String>,
    closed: bool,
    alive: bool,
}

/// The pass under way.
struct Running {
    /// The jobs, and how many of their texts are in it.
    requests: BTreeMap<u64, (Arc<Job>, usize)>,
    tokens: usize,
    /// Without the time of passes in between.
    begun: Instant,
    cancel: Arc<AtomicBool>,
    /// Whether it may be interrupted.
    may_rest: bool,
}

/// How the engine does, for health checks and metrics.
#[derive(Clone, Debug)]
pub struct Status {
    /// Why it cannot serve; none while all is well.
    pub fault: Option<String>,
    /// What waits.
    pub waiting: Size,
    /// How long a new long request would wait.
    pub wait: Duration,
    /// Tokens that a pass may have.
    pub budget: Budget,
    /// Tokens a second, a pass's fixed cost left out; zero before the first pass.
    pub rate: f64,
}

impl Dispatcher {
    /// Starts the thread. It ends once the dispatcher is closed and nothing waits any more.
    pub fn start(
        engine: Arc<dyn Engine>,
        settings: Settings,
        metrics: Arc<Metrics>,
        cache: Option<Arc<Cache>>,
        clock: Clock,
    ) -> std::io::Result<(Arc<Dispatcher>, JoinHandle<()>)> {
        let facts = engine.facts();
        let calibration = CALIBRATION.map(|tokens| tokens.min(facts.n_ctx));
        let state = State {
            queue: Queue::new(),
            pace: Pace::new(facts.threads, settings.pass),
            arriving: [0; 2],
            running: Vec::new(),
            respite: clock(),
            calibration: calibration.into(),
            faults: 0,
            broken: None,
            closed: false,
            alive: true,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let dispatcher =
            Arc::new(Dispatcher { engine, settings, metrics, cache, clock, state, changed });
        let itself = dispatcher.clone();
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let thread = thread.spawn(move || {
            // Its own bugs must not leave clients waiting.
            let _ = catch_unwind(AssertUnwindSafe(|| itself.run()));
            itself.end();
        })?;
        Ok((dispatcher, thread))
    }

    fn check(&self, state: &State, kind: Kind) -> Result<(), Failure> {
        if let Some(reason) = &state.broken {
            return Err(Failure::Broken(reason.clone()));
        }
        if state.closed || !state.alive {
            return Err(Failure::Draining);
        }
        let wait = state.wait(kind);
        match wait.checked_sub(self.settings.max_wait) {
            Some(over) if over > Duration::ZERO => {
                Err(Failure::Overloaded { retry: over.clamp(RETRY[0], RETRY[1]) })
            }
            _ => Ok(()),
        }
    }

    /// Ends the thread once nothing waits any more. Nothing new is let in.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// How the engine does.
    pub fn status(&self) -> Status {
        let state = self.lock();
        let stuck = state.running.last().is_some_and(|running| {
            (self.clock)().saturating_duration_since(running.begun) > LONGEST_PASS
        });
        let fault = match &state.broken {
            Some(reason) => Some(reason.clone()),
            None if !state.alive && !state.closed => Some("the engine's thread ended".to_owned()),
            None if state.faults >= MOST_FAULTS => Some("pass after pass fails".to_owned()),
            None if stuck => Some("a pass does not end".to_owned()),
            None => None,
        };
        Status {
            fault,
            waiting: state.queue.size(),
            wait: state.wait(Kind::Long),
            budget: state.pace.budget(),
            rate: state.pace.line().map_or(0.0, |line| line.rate),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a pass of long requests is to be interrupted now.
    fn interrupts(&self, now: Instant) -> bool {
        now >= self.respite && self.queue.may_interrupt(self.pace.budget())
    }

    /// How long a request of this kind would wait if it came now.
    fn wait(&self, kind: Kind) -> Duration {
        let [short, long] = self.arriving;
        let arriving = if kind == Kind::Short { short } else { short + long };
        let most = match kind {
            Kind::Short => self.pace.budget().pass,
            Kind::Long => usize::MAX,
        };
        // A pass that can be interrupted is, in time, unless it is the long ones' turn.
        let ahead = |running: &Running| match running.may_rest {
            true => running.tokens.min(most),
            false => running.tokens,
        };
        let running: usize = self.running.iter().map(ahead).sum();
        self.pace.time(running + arriving + self.queue.ahead_of(kind))
    }
}
