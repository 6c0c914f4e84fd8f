//! The queue under load, in simulated time: an engine whose passes have a fixed cost and one for each token, and clients
//! that send their next request when the last one is answered.

use super::*;
use crate::pace::Pace;
use std::time::Duration;

/// Clients that all send the same.
struct Clients {
    n: usize,
    /// Tokens of each text of a request.
    texts: Vec<usize>,
}

/// What a client waited for each of its answers, in ms, by group of clients.
struct Outcome {
    waits: Vec<Vec<f64>>,
    /// Tokens a second, beside those of a pass without end.
    efficiency: f64,
}

/// What a pass takes.
#[derive(Clone, Copy)]
struct Engine {
    /// Seconds.
    fixed: f64,
    /// Tokens a second beyond that.
    rate: f64,
}

/// EmbeddingGemma-300M in Q8_0 with two threads, on AVX-512 and on AVX2.
const FAST: Engine = Engine { fixed: 2.5e-3, rate: 3222.0 };
const SLOW: Engine = Engine { fixed: 9e-3, rate: 900.0 };

impl Engine {
    fn seconds(self, tokens: usize) -> f64 {
        self.fixed + tokens as f64 / self.rate
    }

    fn calibrated(self) -> Pace {
        let mut pace = Pace::new(2, Duration::from_millis(75));
        [16, 256, 16, 256]
            .into_iter()
            .for_each(|n| pace.calibrate(n, Duration::from_secs_f64(self.seconds(n))));
        pace
    }
}

/// What a client needs to send its next request.
const THINKING: f64 = 0.3e-3;

/// A pass that may be interrupted is, between two of them.
const LAYERS: usize = 24;

struct Simulation<'a> {
    engine: Engine,
    groups: &'a [Clients],
    queue: Queue<usize>,
    pace: Pace,
    budget: Budget,
    now: f64,
    /// Until then, no pass is interrupted again.
    respite: f64,
    /// Requests on their way, by group, in order of arrival.
    coming: VecDeque<(f64, usize)>,
    /// By number of the request: when it began, how many texts are left.
    open: BTreeMap<u64, (f64, usize)>,
    waits: Vec<Vec<f64>>,
    /// Those of all passes that have ended.
    tokens: usize,
}

impl Simulation<'_> {
    /// Those that have arrived by now join the queue; if nothing waits, time goes on until one does.
    fn arrive(&mut self, is_idle: bool) {
        while let Some(&(at, group)) = self
            .coming
            .front()
            .filter(|(at, _)| *at <= self.now || (is_idle && self.queue.is_empty()))
        {
            self.coming.pop_front();
            self.now = self.now.max(at);
            let texts: Vec<Text> = self.groups[group]
                .texts
                .iter()
                .enumerate()
                .map(|(index, &n)| Text { index, ids: vec![0; n] })
                .collect();
            let n = texts.len();
            let number = self.queue.push(texts, group, true, self.budget.pass);
            self.open.insert(number, (at, n));
        }
    }

    fn run(&mut self, pass: Vec<Taken<usize>>, may_rest: bool) {
        let n = pass.iter().map(|taken| taken.text.ids.len()).sum();
        let parts = if may_rest { LAYERS } else { 1 };
        for part in 1..=parts {
            self.now += self.engine.seconds(n) / parts as f64;
            if part == parts || self.now < self.respite {
                continue;
            }
            self.arrive(false);
            let between = self.queue.take_between(self.budget);
            if !between.is_empty() {
                let begun = self.now;
                self.run(between, false);
                let took = Duration::from_secs_f64(self.now - begun);
                self.respite = self.now + self.pace.respite(took).as_secs_f64();
            }
        }
        self.tokens += n;
        for taken in pass {
            let Some((begun, left)) = self.open.get_mut(&taken.request) else { panic!("unknown") };
            *left -= 1;
            if *left == 0 {
                self.waits[taken.job].push((self.now - *begun) * 1e3);
                self.open.remove(&taken.request);
                self.coming.push_back((self.now + THINKING, taken.job));
            }
        }
    }
}

/// Runs so many seconds of closed loops.
fn run(engine: Engine, groups: &[Clients], until: f64) -> Outcome {
    let clients = |(group, clients): (usize, &Clients)| vec![(0.0, group); clients.n];
    let mut simulation = Simulation {
        engine,
        groups,
        queue: Queue::new(),
        pace: engine.calibrated(),
        budget: engine.calibrated().budget(),
        now: 0.0,
        respite: 0.0,
        coming: groups.iter().enumerate().flat_map(clients).collect(),
        open: BTreeMap::new(),
        waits: vec![Vec::new(); groups.len()],
        tokens: 0,
    };
    while simulation.now < until {
        simulation.arrive(true);
        let Pass { texts, may_rest } = simulation.queue.take(simulation.budget);
        simulation.run(texts, may_rest);
    }
    let Simulation { waits, tokens, now, .. } = simulation;
    Outcome { waits, efficiency: tokens as f64 / now / engine.rate }
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((q * sorted.len() as f64) as usize).min(sorted.len() - 1)]
}

/// A client of one short text beside a request of two thousand texts: it waits for the pass under way and for its own.
#[test]
fn one_text_beside_two_thousand() {
    let groups = [Clients { n: 1, texts: vec![12] }, Clients { n: 1, texts: vec![56; 2000] }];
    let outcome = run(FAST, &groups, 20.0);
    let p95 = quantile(&outcome.waits[0], 0.95);
    assert!(p95 < 80.0, "{p95} ms");
    assert!(outcome.efficiency > 0.85, "{}", outcome.efficiency);
}

/// Eight of them beside eight requests of 32 texts.
#[test]
fn eight_texts_beside_eight_of_thirty_two() {
    let groups = [Clients { n: 8, texts: vec![12] }, Clients { n: 8, texts: vec![56; 32] }];
    let outcome = run(FAST, &groups, 20.0);
    let p95 = quantile(&outcome.waits[0], 0.95);
    assert!(p95 < 150.0, "{p95} ms");
    assert!(!outcome.waits[1].is_empty());
}

/// Sixty-four clients of one text beside a request of five hundred: the bulk gets half of the engine, and ends.
#[test]
fn bulk_does_not_starve() {
    let groups = [Clients { n: 64, texts: vec![56] }, Clients { n: 1, texts: vec![56; 500] }];
    let outcome = run(FAST, &groups, 60.0);
    let bulk = &outcome.waits[1];
    assert!(bulk.len() >= 2 && bulk[0] < 25_000.0, "{bulk:?}");
    let p95 = quantile(&outcome.waits[0], 0.95);
    assert!(p95 < 3000.0, "{p95} ms");
}

/// Requests of sixteen texts beside single texts as long as those sixteen: as many tokens, and about as long a wait.
#[test]
fn long_texts_do_not_starve_requests_of_many() {
    let groups = [
        Clients { n: 16, texts: vec![12] },
        Clients { n: 4, texts: vec![94; 16] },
        Clients { n: 2, texts: vec![1504] },
    ];
    let outcome = run(FAST, &groups, 60.0);
    let [many, one] = [1, 2].map(|group| quantile(&outcome.waits[group], 0.95));
    assert!(many < 1.5 * one && one < 1.5 * many, "{many} and {one} ms");
}

/// Sixty-four equal clients get nearly the full rate, and none waits much longer than the others.
#[test]
fn equal_clients_are_served_alike() {
    for engine in [FAST, SLOW] {
        let outcome = run(engine, &[Clients { n: 64, texts: vec![56] }], 20.0);
        let waits = &outcome.waits[0];
        assert!(outcome.efficiency > 0.93, "{}", outcome.efficiency);
        assert!(quantile(waits, 0.95) < 1.3 * quantile(waits, 0.5));
    }
}

/// Texts of all lengths, some of which fit a pass of the slow engine and some of which do not.
#[test]
fn mixed_clients_leave_an_engine_its_speed() {
    let groups: Vec<Clients> =
        [9, 20, 33, 47, 66, 90, 120, 160].map(|n| Clients { n: 8, texts: vec![n] }).into();
    for engine in [FAST, SLOW] {
        let outcome = run(engine, &groups, 60.0);
        assert!(outcome.efficiency > 0.91, "{}", outcome.efficiency);
    }
}
