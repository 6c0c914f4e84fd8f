//! How a request is shared among threads.
//!
//! - One text, or little work in all: the whole team works on one pass.
//! - Many texts: each thread takes *bundles* of whole texts and runs passes of its own, which need no barriers.
//!   Bundles are filled longest text first, each into the lightest bundle.
//! - A few texts so long that bundles would leave threads idle: the team runs those one by one, then the bundles.

use crate::prefix::{Before, Memory};
use crate::resting::Planned;
use crate::threads::{Team, Threads};
use crate::{Forward, Paused, Resting, Stop, Workspace};
use std::cmp::Reverse;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens of a bundle: enough that repacking weights costs about 1 % and that the rows stay in the L2 cache.
const BUNDLE_TOKENS: usize = 384;
/// With fewer tokens than this for each thread, the team shares one pass: rows are cut evenly, which whole texts are
/// not, and weights that are repacked on use are repacked once.
const SHARED_TOKENS: usize = 96;
/// The longest thread's share that still counts as balanced, in percent of the mean.
const IMBALANCE: u64 = 112;

/// The caller asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

/// Runs requests; keeps the workspaces between them.
#[derive(Default)]
pub struct Scheduler {
    /// The workspace of the whole team's passes.
    shared: Mutex<Workspace>,
    /// Those of single threads' passes that are not in use.
    idle: Mutex<Vec<Workspace>>,
    /// Those of the whole team's passes that can rest, and are not in use.
    idle_shared: Mutex<Vec<Workspace>>,
    /// What texts began with so far.
    memory: Mutex<Memory>,
}

/// Which texts run together, by their indices.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schedule {
    /// Passes of the whole team.
    shared: Vec<Vec<usize>>,
    /// Passes of one thread each.
    bundles: Vec<Vec<usize>>,
}

impl Scheduler {
    /// Embeds texts (token ids) into `out`, texts x n_out. Only one request runs at a time; others wait.
    pub fn run(
        &self,
        threads: &Threads,
        encoder: &dyn Forward,
        texts: &[&[u32]],
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled> {
        if texts.is_empty() {
            return Ok(());
        }
        let width = out.len() / texts.len();
        let mut workspace = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = self.remember(threads, encoder, texts, &mut workspace, cancel)?;
        let before = memory.known(texts);
        let known = before.map_or(0, |before| before.tokens());
        let texts: Vec<&[u32]> = texts.iter().map(|ids| &ids[known..]).collect();
        let texts = &texts[..];
        if let [text] = texts {
            return threads
                .enter(|team| encoder.forward(team, before, &[text], &mut workspace, cancel, out));
        }
        let tokens: Vec<usize> = texts.iter().map(|ids| ids.len()).collect();
        let schedule = schedule(&tokens, threads.count(), |tokens| encoder.cost(tokens));
        let mut rows: Vec<Option<&mut [f32]>> = out.chunks_mut(width).map(Some).collect();
        let mut outputs = |indices: &[usize]| -> Vec<(usize, &mut [f32])> {
            indices.iter().filter_map(|i| Some((*i, rows[*i].take()?))).collect()
        };
        let shared: Vec<_> = schedule.shared.iter().map(|pass| outputs(pass)).collect();
        let bundles: Vec<_> = schedule.bundles.iter().map(|pass| outputs(pass)).collect();
        threads.enter(|team| {
            for pass in shared {
                run_pass(encoder, team, before, texts, pass, &mut workspace, cancel)?;
            }
            let stopped = AtomicBool::new(false);
            team.for_each(bundles.into_iter(), |_, pass| {
                let mut workspace = take(&self.idle);
                let result =
                    run_pass(encoder, &Team::solo(), before, texts, pass, &mut workspace, cancel);
                give_back(&self.idle, workspace);
                stopped.fetch_or(result.is_err(), Ordering::Relaxed);
            });
            if stopped.into_inner() { Err(Cancelled) } else { Ok(()) }
        })
    }

    /// The rows of a text's tokens into `out`, tokens x n_embd. Only one request runs at a time; others wait.
    pub fn token_rows(
        &self,
        threads: &Threads,
        encoder: &dyn Forward,
        ids: &[u32],
        cancel: &AtomicBool,
        out: &mut [f32],
    ) -> Result<(), Cancelled> {
        let mut workspace = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        threads.enter(|team| encoder.token_rows(team, ids, &mut workspace, cancel, out))
    }

    /// Begins a request that can rest. [`Scheduler::end`] takes it back.
    pub fn begin(
        &self,
        threads: &Threads,
        encoder: &dyn Forward,
        texts: &[&[u32]],
        cancel: &AtomicBool,
    ) -> Result<Resting, Cancelled> {
        let mut workspace = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = self.remember(threads, encoder, texts, &mut workspace, cancel)?.prefix();
        let known = prefix.as_ref().and_then(|prefix| prefix.of(texts));
        let known = known.map_or(0, |before| before.tokens());
        let tokens: Vec<usize> = texts.iter().map(|ids| ids.len() - known).collect();
        let schedule = schedule(&tokens, threads.count(), |tokens| encoder.cost(tokens));
        let planned = |passes: Vec<Vec<usize>>| {
            passes.into_iter().map(|texts| Planned { texts, ..Planned::default() }).collect()
        };
        let (shared, bundles) = (planned(schedule.shared), planned(schedule.bundles));
        Ok(Resting { prefix, shared, bundles })
    }

    /// Goes on with a request, by a layer at least, until its texts are embedded (true) or it is to pause. Only one
    /// request runs at a time; others wait.
    pub fn resume(
        &self,
        threads: &Threads,
        encoder: &dyn Forward,
        texts: &[&[u32]],
        resting: &mut Resting,
        stop: Stop<'_>,
        out: &mut [f32],
    ) -> Result<bool, Cancelled> {
        let _turn = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Resting { prefix, shared, bundles } = resting;
        let before = prefix.as_ref().and_then(|prefix| prefix.of(texts));
        let known = before.map_or(0, |before| before.tokens());
        let width = out.len() / texts.len().max(1);
        // Once one pass has paused, all do.
        let paused = AtomicBool::new(false);
        let pause = || {
            paused.load(Ordering::Relaxed) || {
                let now = (stop.pause)();
                paused.fetch_or(now, Ordering::Relaxed) || now
            }
        };
        let stop = Stop { pause: &pause, ..stop };
        let go_on = |team: &Team, pass: &mut Planned, idle: &Mutex<Vec<Workspace>>| {
            let ids: Vec<&[u32]> = pass.texts.iter().map(|i| &texts[*i][known..]).collect();
            let mut rows = vec![0.0; ids.len() * width];
            let begin = || Paused { workspace: take(idle), next: 0 };
            let mut paused = pass.paused.take().unwrap_or_else(begin);
            match encoder.resume(team, before, &ids, &mut paused, stop, &mut rows) {
                Ok(false) => pass.paused = Some(paused),
                result => {
                    give_back(idle, paused.workspace);
                    pass.rows = result.map(|_| Some(rows))?;
                }
            }
            Ok(())
        };
        let is_left = |pass: &&mut Planned| pass.rows.is_none();
        threads.enter(|team| {
            for pass in shared.iter_mut().filter(is_left) {
                go_on(team, pass, &self.idle_shared)?;
                if pause() {
                    return Ok(());
                }
            }
            // Every thread's goes on by a layer, though another one has paused before this one has begun.
            let (begun, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
            team.for_each(bundles.iter_mut().filter(is_left), |_, pass| {
                if begun.fetch_add(1, Ordering::Relaxed) < team.threads() || !pause() {
                    let result = go_on(&Team::solo(), pass, &self.idle);
                    stopped.fetch_or(result.is_err(), Ordering::Relaxed);
                }
            });
            if stopped.into_inner() { Err(Cancelled) } else { Ok(()) }
        })?;
        let passes = || shared.iter().chain(&*bundles);
        if passes().any(|pass| pass.rows.is_none()) {
            return Ok(false);
        }
        for pass in passes() {
            let rows = pass.rows.iter().flat_map(|rows| rows.chunks(width));
            for (i, row) in pass.texts.iter().zip(rows) {
                out[i * width..][..width].copy_from_slice(row);
            }
        }
        Ok(true)
    }

    /// Keeps the memory of a request for others.
    pub fn end(&self, resting: Resting) {
        for (passes, idle) in [(resting.shared, &self.idle_shared), (resting.bundles, &self.idle)] {
            let paused = passes.into_iter().filter_map(|pass| pass.paused);
            paused.for_each(|paused| give_back(idle, paused.workspace));
        }
    }

    /// What texts began with so far, these included.
    fn remember(
        &self,
        threads: &Threads,
        encoder: &dyn Forward,
        texts: &[&[u32]],
        workspace: &mut Workspace,
        cancel: &AtomicBool,
    ) -> Result<MutexGuard<'_, Memory>, Cancelled> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if encoder.takes_prefix()
            && let Some(ids) = memory.wanted(texts)
        {
            let prefix = threads.enter(|team| encoder.prefix(team, &ids, workspace, cancel));
            memory.keep(prefix?);
        }
        Ok(memory)
    }
}

fn take(idle: &Mutex<Vec<Workspace>>) -> Workspace {
    idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
}

fn give_back(idle: &Mutex<Vec<Workspace>>, workspace: Workspace) {
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
}

/// One forward pass over some of the texts, written to each text's row.
fn run_pass(
    encoder: &dyn Forward,
    team: &Team,
    before: Option<Before<'_>>,
    texts: &[&[u32]],
    pass: Vec<(usize, &mut [f32])>,
    workspace: &mut Workspace,
    cancel: &AtomicBool,
) -> Result<(), Cancelled> {
    let ids: Vec<&[u32]> = pass.iter().map(|(i, _)| texts[*i]).collect();
    let width = pass.first().map_or(0, |(_, row)| row.len());
    let mut out = vec![0.0; pass.len() * width];
    encoder.forward(team, before, &ids, workspace, cancel, &mut out)?;
    for ((_, row), vector) in pass.into_iter().zip(out.chunks(width)) {
        row.copy_from_slice(vector);
    }
    Ok(())
}

/// Decides how texts of these lengths run on `threads` threads.
fn schedule(tokens: &[usize], threads: usize, cost: impl Fn(usize) -> u64) -> Schedule {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|i| Reverse(tokens[*i]));
    let mut schedule = Schedule::default();
    for alone in 0..order.len() {
        let rest = &order[alone..];
        if rest.iter().map(|i| tokens[*i]).sum::<usize>() <= SHARED_TOKENS * threads {
            schedule.shared.push(rest.to_vec());
            return schedule;
        }
        let (bundles, longest, sum) = fill_bundles(rest, tokens, threads, &cost);
        if threads == 1 || longest * threads as u64 * 100 <= sum * IMBALANCE {
            schedule.bundles = bundles;
            return schedule;
        }
        schedule.shared.push(vec![order[alone]]);
    }
    schedule
}

/// Puts texts, longest first, each into the lightest of as many bundles as keep every thread equally busy. Returns the
/// bundles, the cost of the heaviest thread's share and the total cost.
fn fill_bundles(
    order: &[usize],
    tokens: &[usize],
    threads: usize,
    cost: impl Fn(usize) -> u64,
) -> (Vec<Vec<usize>>, u64, u64) {
    let total: usize = order.iter().map(|i| tokens[*i]).sum();
    let rounds = total.div_ceil(threads * BUNDLE_TOKENS).max(1);
    let mut bundles = vec![(0u64, Vec::new()); threads * rounds];
    let mut heap: std::collections::BinaryHeap<Reverse<(u64, usize)>> =
        (0..bundles.len()).map(|b| Reverse((0, b))).collect();
    for i in order {
        if let Some(Reverse((load, b))) = heap.pop() {
            let load = load + cost(tokens[*i]);
            bundles[b].0 = load;
            bundles[b].1.push(*i);
            heap.push(Reverse((load, b)));
        }
    }
    bundles.retain(|(_, texts)| !texts.is_empty());
    bundles.sort_by_key(|(load, _)| Reverse(*load));
    // Threads take the bundles in this order as they become free.
    let mut busy = vec![0u64; threads];
    for (load, _) in &bundles {
        if let Some(first_free) = busy.iter_mut().min() {
            *first_free += load;
        }
    }
    let longest = busy.iter().copied().max().unwrap_or(0);
    let sum = busy.iter().sum();
    (bundles.into_iter().map(|(_, texts)| texts).collect(), longest, sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(tokens: &[usize], threads: usize) -> Schedule {
        let plan = schedule(tokens, threads, |t| t as u64);
        let mut all: Vec<usize> =
            plan.shared.iter().chain(&plan.bundles).flatten().copied().collect();
        all.sort();
        assert_eq!(all, (0..tokens.len()).collect::<Vec<_>>(), "every text once");
        plan
    }

    #[test]
    fn little_work_is_shared() {
        assert_eq!(
            plan(&[12, 5, 30], 2),
            Schedule { shared: vec![vec![2, 0, 1]], bundles: vec![] }
        );
    }

    #[test]
    fn many_texts_become_even_bundles() {
        let plan = plan(&[56; 96], 2);
        assert!(plan.shared.is_empty());
        assert_eq!(plan.bundles.len() % 2, 0);
        assert!(plan.bundles.iter().all(|b| b.len() * 56 <= 512 && b.len() * 56 >= 256));
    }

    #[test]
    fn a_text_too_long_for_balance_is_shared() {
        assert_eq!(plan(&[1500, 1500, 1500], 2).shared, vec![vec![0]]);
        assert_eq!(plan(&[20, 2000, 20, 20], 2).shared, vec![vec![1], vec![0, 2, 3]]);
    }

    #[test]
    fn one_thread_needs_no_balance() {
        assert!(plan(&[2000, 5, 5], 1).shared.is_empty());
    }
}
