//! How long more threads would take than this machine has cores, by doing their parts one after another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What simulated threads did so far. The parts of a job go, in their order, to whichever thread would be free first; a
/// job takes as long as the thread that is busy longest.
///
/// Left out is what threads cost each other: meeting after a job, and the memory and caches that they share.
#[derive(Debug, Default)]
pub struct Simulated {
    jobs: AtomicU64,
    /// Nanoseconds that the jobs took less than their parts one after another.
    saved: AtomicU64,
}

impl Simulated {
    /// Number of jobs: as often all threads meet.
    pub fn jobs(&self) -> u64 {
        self.jobs.load(Ordering::Relaxed)
    }

    /// How much longer this one thread took.
    pub fn saved(&self) -> Duration {
        Duration::from_nanos(self.saved.load(Ordering::Relaxed))
    }

    pub(super) fn for_each<P>(
        &self,
        threads: usize,
        parts: impl Iterator<Item = P>,
        f: impl Fn(usize, P),
    ) {
        // As threads would, behind a lock.
        let parts = Mutex::new(parts);
        let mut busy = vec![Duration::ZERO; threads];
        loop {
            let begun = Instant::now();
            let Some(part) = parts.lock().ok().and_then(|mut parts| parts.next()) else { break };
            let free = (0..threads).min_by_key(|thread| busy[*thread]).unwrap_or(0);
            f(free, part);
            busy[free] += begun.elapsed();
        }
        let all: Duration = busy.iter().sum();
        let longest = busy.into_iter().max().unwrap_or_default();
        self.jobs.fetch_add(1, Ordering::Relaxed);
        self.saved.fetch_add((all - longest).as_nanos() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Threads;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn parts_are_done_side_by_side() {
        let simulated = Arc::new(Simulated::default());
        let threads = Threads::simulated(4, simulated.clone());
        let begun = Instant::now();
        let shares = Mutex::new([0; 4]);
        threads.enter(|team| {
            assert_eq!(team.threads(), 4);
            team.for_each(0..8, |thread, _| {
                shares.lock().unwrap()[thread] += 1;
                std::thread::sleep(Duration::from_millis(5));
            });
        });
        assert_eq!(simulated.jobs(), 1);
        assert_eq!(shares.into_inner().unwrap().iter().sum::<usize>(), 8);
        // Sleeps are longer than that on a busy machine: each thread has a part at least, and none has all.
        let (taken, saved) = (begun.elapsed(), simulated.saved());
        assert!(saved >= Duration::from_millis(15) && saved + Duration::from_millis(5) <= taken);
    }
}
