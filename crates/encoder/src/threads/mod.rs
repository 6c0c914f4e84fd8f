//! Threads that stay with a request from its first operation to its last.
//!
//! A forward pass has over two hundred operations of a few microseconds each, or, where its rows are cut, a job for
//! each layer: too short to wake threads for. So a request wakes the threads once; its [`Team`] then spins between jobs
//! and shares each one's parts as they come: whoever is free takes the next. A thread that the system puts aside
//! between jobs is not waited for, since the others take its parts; one that is put aside with a part in hand, or at
//! the request's end, is.

#![allow(unsafe_code)]

mod cores;

pub use cores::default_threads;

use std::cell::UnsafeCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The threads of an embedder.
pub struct Threads {
    /// The helpers of the calling thread; none where it works alone.
    helpers: Option<rayon::ThreadPool>,
    count: usize,
}

/// A job, shared by everyone who joins it: called with the number of the thread.
type Job<'a> = &'a (dyn Fn(usize) + Sync);

/// The threads that work on one request.
pub struct Team {
    /// `epoch * EPOCH + joined * JOINED + OPEN`: one word, so that joining and closing cannot miss each other.
    state: AtomicUsize,
    /// The open job; valid while the state is open or has joined threads.
    job: UnsafeCell<Option<Job<'static>>>,
    /// From before a job is written until all who joined it are done: there is one job at a time.
    busy: AtomicBool,
    finished: AtomicBool,
    panicked: AtomicBool,
    threads: usize,
}

const OPEN: usize = 1;
const JOINED: usize = 1 << 1;
const JOINED_MASK: usize = 0xffff << 1;
const EPOCH: usize = 1 << 17;

/// Turns of the spin loop before a waiting thread lets others run: about 50 microseconds.
const SPINS: usize = 2_000;

impl Threads {
    /// So many threads, the caller among them.
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
        Ok(Threads { helpers, count })
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `f` on this thread with the helpers at hand. A panic anywhere reaches the caller. Must not be called
    /// within itself: the helpers would be waited for by both.
    pub fn enter<R>(&self, f: impl FnOnce(&Team) -> R) -> R {
        let team = Team::new(self.count);
        let Some(helpers) = &self.helpers else {
            return f(&team);
        };
        let result = helpers.in_place_scope(|scope| {
            let team = &team;
            scope.spawn_broadcast(move |_, context| team.help(context.index() + 1));
            let _finish = Finish(team);
            f(team)
        });
        if team.panicked.load(Ordering::Acquire) {
            panic!("a worker thread panicked");
        }
        result
    }
}

/// Sends the helpers home, also when the leader panics.
struct Finish<'a>(&'a Team);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.finished.store(true, Ordering::Release);
    }
}

// SAFETY: `job` is written by whoever has set `busy`, while no job is open and nobody has joined; helpers read it only
// after joining an open job, which the acquire and release operations on `state` order after the write.
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
        }
    }

    /// A team of the calling thread alone.
    pub fn solo() -> Team {
        Team::new(1)
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `f` with every part, on whichever threads are free; `f` also gets the thread's number, below `threads`.
    ///
    /// Panics if it is called within itself.
    pub fn for_each<P: Send>(
        &self,
        parts: impl Iterator<Item = P> + Send,
        f: impl Fn(usize, P) + Sync,
    ) {
        if self.threads == 1 {
            return parts.for_each(|part| f(0, part));
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

    /// Opens the job, works on it, and returns when all who joined are done.
    fn run(&self, job: Job<'_>) {
        assert!(!self.busy.swap(true, Ordering::Acquire), "an operation within an operation");
        // SAFETY: only the lifetime changes. The job is read by threads that joined it; `Close` waits for all of
        // them before this function is left, by return or by panic, and nobody joins a closed job.
        let job = unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) };
        // SAFETY: `busy` was clear, so the last `Close` has waited: no job is open, nobody has joined, and no helper
        // reads the cell.
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

    /// A helper's life within one request.
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
            // SAFETY: having joined an open job, this thread keeps the leader from closing it until `JOINED` is
            // taken back below.
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

/// Closes the open job and waits for those who joined it.
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

/// One turn of waiting: spins at first, later lets other threads run.
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
    #[should_panic(expected = "an operation within an operation")]
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
