//! Threads that stay with a request from its first operation to its last.
//!
//! A forward pass has over two hundred operations of a few microseconds each or, where its rows are shared out among
//! the threads, one job per layer. Both are too short to wake threads for. A request therefore wakes the threads once,
//! and its [`Team`] then spins between jobs. The parts of a job are not assigned in advance: whichever thread is free
//! takes the next one. If the system preempts a thread between jobs, no one waits for it, since the others take its
//! parts. If it preempts a thread that is working on a part, or at the end of the request, the others wait.

#![allow(unsafe_code)]

mod cores;
mod simulation;

pub use cores::default_threads;
pub use simulation::Simulated;

use std::cell::UnsafeCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The threads of an embedder.
pub struct Threads {
    /// The threads that help the calling one; `None` if it works alone.
    helpers: Option<rayon::ThreadPool>,
    count: usize,
    simulated: Option<Arc<Simulated>>,
}

/// A job, shared by all threads that join it. It is called with the number of the thread.
type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// The threads that work on one request.
pub struct Team {
    /// `epoch * EPOCH + joined * JOINED + OPEN`, in one word so that no thread can join a job while it is being closed.
    state: AtomicUsize,
    /// The open job; valid while the state is open or counts joined threads.
    job: UnsafeCell<Option<Job<'static>>>,
    /// Set from before a job is written until all threads that joined it are done: there is only one job at a time.
    busy: AtomicBool,
    finished: AtomicBool,
    panicked: AtomicBool,
    threads: usize,
    simulated: Option<Arc<Simulated>>,
}

const OPEN: usize = 1;
const JOINED: usize = 1 << 1;
const JOINED_MASK: usize = 0xffff << 1;
const EPOCH: usize = 1 << 17;

/// Iterations of the spin loop before a waiting thread yields to others: about 50 microseconds.
const SPINS: usize = 2_000;

impl Threads {
    /// Starts the helpers: `count` threads in all, including the calling one.
    pub fn new(count: usize) -> io::Result<Threads> {
        let count = count.clamp(1, 1024);
        let helpers = (count > 1)
            .then(|| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(count - 1)
                    .thread_name(|i| format!("monomorph-{}", i + 1))
                    .build()
            })
            .transpose()
            .map_err(io::Error::other)?;
        Ok(Threads { helpers, count, simulated: None })
    }

    /// `count` threads as this one would see them, which does all the work itself: see [`Simulated`].
    pub fn simulated(count: usize, simulated: Arc<Simulated>) -> Threads {
        Threads { helpers: None, count, simulated: Some(simulated) }
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `f` on this thread, with the helpers ready to join its jobs. A panic on any thread reaches the caller.
    /// Calls must not be nested, because both would wait for the same helpers.
    pub fn enter<R>(&self, f: impl FnOnce(&Team) -> R) -> R {
        let team = Team { simulated: self.simulated.clone(), ..Team::new(self.count) };
        let Some(helpers) = &self.helpers else {
            return f(&team);
        };
        // The scope passes on a helper's panic.
        helpers.in_place_scope(|scope| {
            let team = &team;
            scope.spawn_broadcast(move |_, context| team.help(context.index() + 1));
            let _finish = Finish(team);
            f(team)
        })
    }
}

/// Dismisses the helpers, even if the calling thread panics.
struct Finish<'a>(&'a Team);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finished.store(true, Ordering::Release);
    }
}

// SAFETY: only the thread that set `busy` writes `job`, while no job is open and no thread has joined; helpers read it
// only after joining an open job, which the acquire and release operations on `state` order after the write.
unsafe impl Sync for Team {}

impl Team {
    fn new(threads: usize) -> Team {
        Team {
            state: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            busy: AtomicBool::new(false),
            finished: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            threads,
            simulated: None,
        }
    }

    /// A team of only the calling thread.
    pub fn solo() -> Team {
        Team::new(1)
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `f` with every part, on whichever threads are free. `f` also gets the thread's number, which is below
    /// `threads`.
    ///
    /// Panics if it is called from within a job of the same team, unless the team is a single thread.
    pub fn for_each<P: Send>(
        &self,
        parts: impl Iterator<Item = P> + Send,
        f: impl Fn(usize, P) + Sync,
    ) {
        if self.threads == 1 {
            return parts.for_each(|part| f(0, part));
        }
        if let Some(simulated) = &self.simulated {
            return simulated.for_each(self.threads, parts, f);
        }
        let parts = Mutex::new(parts);
        self.run(&|thread| {
            loop {
                let Ok(mut guard) = parts.lock() else { return };
                let Some(part) = guard.next() else { return };
                drop(guard);
                f(thread, part);
            }
        });
    }

    /// Opens the job, works on it, and returns when all threads that joined it are done.
    fn run(&self, job: Job<'_>) {
        assert!(!self.busy.swap(true, Ordering::Acquire), "a job within a job");
        // SAFETY: only the lifetime changes. Only threads that joined the job read it; `Close` waits for all of them
        // before this function returns or unwinds, and no thread can join a closed job.
        let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        // SAFETY: `busy` was clear, so the last `Close` has finished waiting: no job is open, no thread has joined, and
        // no helper reads the cell.
        unsafe { *self.job.get() = Some(job) };
        let epoch = (self.state.load(Ordering::Relaxed) / EPOCH).wrapping_add(1);
        self.state.store(epoch.wrapping_mul(EPOCH) | OPEN, Ordering::Release);
        let close = Close(self);
        job(0);
        drop(close);
        if self.panicked.load(Ordering::Acquire) {
            panic!("a worker thread panicked");
        }
    }

    /// What a helper does during one request: it joins jobs until the request ends.
    fn help(&self, thread: usize) {
        let mut last_epoch = 0;
        let mut spins = 0;
        while !self.finished.load(Ordering::Acquire) {
            let state = self.state.load(Ordering::Acquire);
            let fresh = state & OPEN != 0 && state / EPOCH != last_epoch;
            if !fresh || !self.join(state) {
                wait(&mut spins);
                continue;
            }
            spins = 0;
            last_epoch = state / EPOCH;
            // SAFETY: this thread has joined an open job, so `Close` waits for it, and the job stays valid until
            // `JOINED` is subtracted below.
            let job = unsafe { *self.job.get() };
            let result = catch_unwind(AssertUnwindSafe(|| job.map(|job| job(thread))));
            if result.is_err() {
                self.panicked.store(true, Ordering::Release);
            }
            self.state.fetch_sub(JOINED, Ordering::Release);
            if let Err(panic) = result {
                resume_unwind(panic);
            }
        }
    }

    fn join(&self, state: usize) -> bool {
        let joined =
            self.state.compare_exchange(state, state + JOINED, Ordering::AcqRel, Ordering::Relaxed);
        joined.is_ok()
    }
}

/// Closes the open job and waits for the threads that joined it.
struct Close<'a>(&'a Team);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        let state = &self.0.state;
        state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0;
        while state.load(Ordering::Acquire) & JOINED_MASK != 0 {
            wait(&mut spins);
        }
        self.0.busy.store(false, Ordering::Release);
    }
}

/// One iteration of a wait: spins at first, and yields to other threads later.
fn wait(spins: &mut usize) {
    *spins += 1;
    if *spins < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for count in [1, 2, 4] {
            let threads = Threads::new(count).unwrap();
            for round in 0..20 {
                let mut numbers = vec![0usize; 1000];
                threads.enter(|team| {
                    for _ in 0..50 {
                        team.for_each(numbers.chunks_mut(7), |thread, part| {
                            assert!(thread < count);
                            part.iter_mut().for_each(|n| *n += 1);
                        });
                    }
                });
                assert!(numbers.iter().all(|n| *n == 50), "round {round}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a job within a job")]
    fn an_operation_within_an_operation_is_refused() {
        Threads::new(2).unwrap().enter(|team| team.run(&|_| team.for_each(0..2, |_, _| ())));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let threads = Threads::new(3).unwrap();
        for bad in 0..20 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                threads.enter(|team| {
                    team.for_each(0..20, |_, part| {
                        std::thread::sleep(std::time::Duration::from_micros(20));
                        assert_ne!(part, bad, "expected by the test");
                    })
                })
            }));
            assert!(result.is_err());
        }
        let sum = AtomicUsize::new(0);
        threads.enter(|team| {
            team.for_each(0..10, |_, i| {
                sum.fetch_add(i, Ordering::Relaxed);
            })
        });
        assert_eq!(sum.into_inner(), 45);
    }
}
