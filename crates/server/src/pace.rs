//! How fast the engine is, learnt from its passes, and how many tokens a pass should therefore have.
//!
//! A pass of n tokens takes about `a + n / rate` seconds. The line is fitted by least squares to the last passes, in
//! sums that forget: a pass counts half as much after 178 more. Under a steady load all passes have the same size, which
//! fits any slope; so some passes of two sizes are run at the start, and are not forgotten. Their times are scaled to
//! what passes take now: a machine may become slower.

use crate::queue::Budget;
use std::time::Duration;

/// A pass's fixed cost should be 4 % of its time.
const FIXED_SHARE: f64 = 0.04;
/// On a fast engine, passes shorter than this gain nothing for anybody.
const SHORTEST: Duration = Duration::from_millis(20);
/// With fewer tokens for each thread, an engine gains nothing from the others.
const LEAST_PER_THREAD: usize = 16;
/// A large pass may take so many times as long as others.
const LARGE: f64 = 6.0;
/// More tokens for each thread are not needed for an engine's full speed, and would not stay in a core's cache.
const LARGE_PER_THREAD: usize = 192;
/// A pass that was interrupted goes on for so many times as long before it is again: a pass of few tokens is slow, and
/// clients of one short text at a time would otherwise keep the engine at its slowest for half of the time.
const RESPITE: u32 = 3;
/// But not for longer than so many passes may take: a short text should wait for no more than two.
const LONGEST_RESPITE: u32 = 2;
/// Bounds a pass's memory.
const MOST_PER_THREAD: usize = 8192;
/// The budget of an engine that was never timed.
const UNTIMED: usize = 256;
/// What remains of a pass's weight after the next one: sums of 256 passes.
const MEMORY: f64 = 1.0 - 1.0 / 256.0;
/// The weight of a pass that calibrates.
const WEIGHT: f64 = 8.0;

/// The engine's pace.
#[derive(Clone, Debug)]
pub struct Pace {
    threads: usize,
    longest: Duration,
    /// Of the passes that calibrated, which are not forgotten.
    calibration: Sums,
    recent: Sums,
}

/// Sums over passes: of the weights, tokens, seconds and their products.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    w: f64,
    n: f64,
    t: f64,
    nn: f64,
    nt: f64,
}

/// The line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Seconds of a pass that do not depend on its tokens.
    pub fixed: f64,
    /// Tokens a second beyond that.
    pub rate: f64,
}

impl Pace {
    /// For an engine with so many threads, whose passes should take at most `longest`.
    pub fn new(threads: usize, longest: Duration) -> Pace {
        Pace { threads, longest, calibration: Sums::default(), recent: Sums::default() }
    }

    /// A pass has taken so long.
    pub fn observe(&mut self, tokens: usize, took: Duration) {
        self.recent.scale(MEMORY);
        self.recent.add(tokens as f64, took.as_secs_f64(), 1.0);
    }

    /// A pass that was only run to be timed has taken so long.
    pub fn calibrate(&mut self, tokens: usize, took: Duration) {
        self.calibration.add(tokens as f64, took.as_secs_f64(), WEIGHT);
    }

    /// The line; `None` before the first pass.
    pub fn line(&self) -> Option<Line> {
        let mut sums = self.recent;
        let mut calibration = self.calibration;
        if let Some(line) = calibration.line().filter(|_| self.recent.w > 0.0) {
            let expected = self.recent.w * line.fixed + self.recent.n / line.rate;
            calibration.slow_down(self.recent.t / expected);
        }
        sums.merge(&calibration);
        sums.line()
    }

    /// How many tokens a pass should have.
    pub fn budget(&self) -> Budget {
        let pass = self.tokens();
        let longest = LARGE * self.longest.as_secs_f64();
        let large = self.line().map_or(usize::MAX, |line| (line.rate * longest) as usize);
        Budget { pass, large: large.min(LARGE_PER_THREAD * self.threads).max(pass) }
    }

    /// How many tokens most passes should have.
    fn tokens(&self) -> usize {
        let (least, most) = (LEAST_PER_THREAD * self.threads, MOST_PER_THREAD * self.threads);
        let tokens = match self.line() {
            None => UNTIMED,
            Some(line) => {
                let longest = self.longest.as_secs_f64();
                let shortest = SHORTEST.as_secs_f64().min(longest);
                let seconds = line.fixed * (1.0 / FIXED_SHARE - 1.0);
                (line.rate * seconds.clamp(shortest, longest)) as usize
            }
        };
        tokens.clamp(least, most)
    }

    /// How long a pass goes on at least after it was interrupted for so long.
    pub fn respite(&self, interlude: Duration) -> Duration {
        (RESPITE * interlude).min(LONGEST_RESPITE * self.longest)
    }

    /// How long so many tokens take in passes of the budget's size; nothing before the first pass.
    pub fn time(&self, tokens: usize) -> Duration {
        let Some(line) = self.line() else { return Duration::ZERO };
        let passes = (tokens as f64 / self.tokens() as f64).ceil();
        Duration::try_from_secs_f64(tokens as f64 / line.rate + passes * line.fixed)
            .unwrap_or(Duration::MAX)
    }
}

impl Sums {
    /// The line that fits best; `None` without passes.
    fn line(&self) -> Option<Line> {
        if self.n <= 0.0 || self.t <= 0.0 {
            return None;
        }
        // Seconds a token, all costs included: the line's slope is at most that, for the fixed cost is not negative,
        // and noise must not make it next to nothing.
        let mean = self.t / self.n;
        let spread = self.w * self.nn - self.n * self.n;
        let slope = match spread > 1e-9 * self.w * self.nn {
            true => (self.w * self.nt - self.n * self.t) / spread,
            false => mean,
        };
        let slope = slope.clamp(mean / 4.0, mean);
        let fixed = ((self.t - slope * self.n) / self.w).max(0.0);
        Some(Line { fixed, rate: 1.0 / slope })
    }

    /// As if every pass had taken so many times as long.
    fn slow_down(&mut self, factor: f64) {
        self.t *= factor;
        self.nt *= factor;
    }

    fn add(&mut self, n: f64, t: f64, w: f64) {
        self.merge(&Sums { w, n: w * n, t: w * t, nn: w * n * n, nt: w * n * t });
    }

    fn merge(&mut self, other: &Sums) {
        self.w += other.w;
        self.n += other.n;
        self.t += other.t;
        self.nn += other.nn;
        self.nt += other.nt;
    }

    fn scale(&mut self, factor: f64) {
        let Sums { w, n, t, nn, nt } = *self;
        *self =
            Sums { w: factor * w, n: factor * n, t: factor * t, nn: factor * nn, nt: factor * nt };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph_testing::Random;

    const PASS: Duration = Duration::from_millis(75);

    fn seconds(n: usize) -> Duration {
        Duration::from_secs_f64(2.5e-3 + n as f64 / 3222.0)
    }

    fn calibrated() -> Pace {
        let mut pace = Pace::new(2, PASS);
        [16, 256, 16, 256].into_iter().for_each(|n| pace.calibrate(n, seconds(n)));
        pace
    }

    #[test]
    fn the_line_is_found() {
        let line = calibrated().line().unwrap();
        assert!((line.fixed - 2.5e-3).abs() < 1e-6 && (line.rate - 3222.0).abs() < 1.0, "{line:?}");
        // 24 x 2.5 ms.
        assert_eq!(calibrated().budget().pass, 193);
        assert_eq!(Pace::new(2, PASS).budget().pass, UNTIMED);
    }

    /// A steady load, timed with noise, moves neither rate nor budget much.
    #[test]
    fn passes_of_one_size_keep_the_line() {
        let (mut pace, mut random) = (calibrated(), Random(1));
        for _ in 0..5000 {
            let n = 185 + random.below(9);
            pace.observe(n, seconds(n).mul_f64(1.0 + 0.15 * f64::from(random.signed())));
            let line = pace.line().unwrap();
            assert!((2700.0..3900.0).contains(&line.rate), "{line:?}");
        }
    }

    /// A machine that becomes three times slower is noticed.
    #[test]
    fn a_slower_machine_is_noticed() {
        let mut pace = calibrated();
        for i in 0..200 {
            let n = 20 + i % 170;
            pace.observe(n, 3 * seconds(n));
        }
        let line = pace.line().unwrap();
        assert!((line.rate - 1074.0).abs() < 5.0 && (line.fixed - 7.5e-3).abs() < 1e-4, "{line:?}");
    }

    #[test]
    fn budgets_have_bounds() {
        let mut fast = Pace::new(2, PASS);
        [16, 256].into_iter().for_each(|n| fast.calibrate(n, Duration::from_nanos(10 * n as u64)));
        let most = 2 * MOST_PER_THREAD;
        assert_eq!(fast.budget(), Budget { pass: most, large: most });
        let mut slow = Pace::new(2, PASS);
        [16, 256].into_iter().for_each(|n| slow.calibrate(n, Duration::from_secs(n as u64)));
        let least = 2 * LEAST_PER_THREAD;
        assert_eq!(slow.budget(), Budget { pass: least, large: least });
        assert_eq!(calibrated().budget().large, 2 * LARGE_PER_THREAD);
        let mut still = Pace::new(2, PASS);
        still.calibrate(16, Duration::ZERO);
        assert_eq!((still.line(), still.budget().pass), (None, UNTIMED));
    }

    #[test]
    fn a_respite_has_a_limit() {
        let pace = calibrated();
        for (interlude, respite) in [(0, 0), (6, 18), (25, 75), (60, 150)] {
            let [interlude, respite] = [interlude, respite].map(Duration::from_millis);
            assert_eq!(pace.respite(interlude), respite);
        }
    }

    #[test]
    fn time_counts_the_fixed_cost_of_every_pass() {
        let pace = calibrated();
        let time = pace.time(1930).as_secs_f64();
        assert!((time - (1930.0 / 3222.0 + 10.0 * 2.5e-3)).abs() < 1e-3, "{time}");
        assert_eq!(pace.time(0), Duration::ZERO);
        assert_eq!(Pace::new(1, PASS).time(1 << 40), Duration::ZERO);
    }
}
