//! Progress of a batch, for people and for machines.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use monomorph::Embedder;
use serde::Serialize;

use crate::cli::message;

/// Interval between two lines of --progress json.
const EVERY: Duration = Duration::from_secs(1);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, nothing elsewhere; a summary at the end
    Auto,
    /// One JSON object per line, at most one per second, and a last one
    Json,
    /// No progress
    None,
}

/// Progress, shared by the threads.
#[derive(Clone)]
pub struct Progress {
    shown: Shown,
    begun: Instant,
    /// Where this run starts and ends, in records if `by_record`, else in the input's own units.
    start: u64,
    end: Option<u64>,
    by_record: bool,
}

#[derive(Clone)]
enum Shown {
    Nothing,
    /// Only the line at the end.
    Summary,
    Bar(ProgressBar),
    /// The time of the last line.
    Json(Arc<Mutex<Instant>>),
}

/// A line of --progress json.
#[derive(Serialize)]
struct Line {
    texts: usize,
    tokens: usize,
    seconds: f64,
    texts_per_second: f64,
    tokens_per_second: f64,
    /// Fraction of this run's work that is done; none if the length of the input is unknown.
    fraction: Option<f64>,
    seconds_left: Option<f64>,
    done: bool,
}

impl Progress {
    /// For work from `start` to `end`, counted in records if `by_record`, else in the units of the input's positions.
    pub fn new(mode: ProgressMode, start: u64, end: Option<u64>, by_record: bool) -> Progress {
        let begun = Instant::now();
        let shown = match mode {
            ProgressMode::None => Shown::Nothing,
            ProgressMode::Json => Shown::Json(Arc::new(Mutex::new(begun))),
            ProgressMode::Auto if !stderr().is_terminal() => Shown::Summary,
            ProgressMode::Auto => {
                let target = ProgressDrawTarget::stderr();
                let length = end.map(|end| end.saturating_sub(start));
                let bar = ProgressBar::with_draw_target(length, target);
                let template = if end.is_some() {
                    "{bar:30} {percent:>3} %  {msg}"
                } else {
                    "{spinner} {msg}"
                };
                bar.set_style(
                    ProgressStyle::with_template(template)
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                Shown::Bar(bar)
            }
        };
        Progress { shown, begun, start, end, by_record }
    }

    /// Shows progress: this run's texts and tokens, the next record, and its position in the input.
    pub fn update(&self, texts: usize, tokens: usize, record: u64, position: u64) {
        let at = if self.by_record { record } else { position }.saturating_sub(self.start);
        match &self.shown {
            Shown::Nothing | Shown::Summary => {}
            Shown::Bar(bar) => {
                let line = self.line(texts, tokens, Some(at), false);
                let left = line.seconds_left.map_or_else(String::new, |left| {
                    format!(", {} left", clock(Duration::from_secs_f64(left)))
                });
                bar.set_position(at);
                bar.set_message(format!(
                    "{texts} texts, {} texts/s, {:.0} tokens/s{left}",
                    rate(line.texts_per_second),
                    line.tokens_per_second
                ));
            }
            Shown::Json(last) => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= EVERY {
                    *last = Instant::now();
                    print(&self.line(texts, tokens, Some(at), false));
                }
            }
        }
    }

    /// Summarises a run that completed its output.
    pub fn report(&self, texts: usize, tokens: usize, embedder: &Embedder) {
        let line = self.line(texts, tokens, None, true);
        match &self.shown {
            Shown::Nothing => {}
            Shown::Json(_) => print(&line),
            Shown::Summary | Shown::Bar(_) => {
                self.clear();
                message::line(format_args!(
                    "{}, {} in {:.1} s: {} texts/s, {:.0} tokens/s, isa {}, threads {}",
                    message::counted(texts as u64, "text"),
                    message::counted(tokens as u64, "token"),
                    line.seconds,
                    rate(line.texts_per_second),
                    line.tokens_per_second,
                    embedder.info().isa,
                    embedder.info().threads,
                ));
            }
        }
    }

    /// Prints a warning without disturbing the bar.
    pub fn warn(&self, warning: impl Display) {
        self.suspend(|| message::warning(warning));
    }

    /// Hides the bar while `say` prints.
    pub fn suspend(&self, say: impl FnOnce()) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(say),
            _ => say(),
        }
    }

    /// Removes the bar.
    pub fn clear(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn line(&self, texts: usize, tokens: usize, at: Option<u64>, done: bool) -> Line {
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-9);
        let length =
            self.end.map(|end| end.saturating_sub(self.start)).filter(|length| *length > 0);
        let part = |(at, length)| (at as f64 / length as f64).min(1.0);
        let fraction = if done { Some(1.0) } else { at.zip(length).map(part) };
        Line {
            texts,
            tokens,
            seconds,
            texts_per_second: texts as f64 / seconds,
            tokens_per_second: tokens as f64 / seconds,
            fraction,
            seconds_left: fraction.filter(|f| *f > 0.0).map(|f| seconds * (1.0 - f) / f),
            done,
        }
    }
}

fn print(line: &Line) {
    if let Ok(json) = serde_json::to_string(line) {
        message::line(json);
    }
}

/// A rate with a digit that says something: long texts take seconds each.
fn rate(per_second: f64) -> String {
    let digits = if per_second < 10.0 { 1 + usize::from(per_second < 1.0) } else { 0 };
    format!("{per_second:.digits$}")
}

/// A duration such as 1:02:03 or 2:03.
fn clock(time: Duration) -> String {
    let (hours, minutes, seconds) =
        (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_digit() {
        for (per_second, shown) in [(0.04, "0.04"), (0.4, "0.40"), (2.34, "2.3"), (1234.5, "1234")]
        {
            assert_eq!(rate(per_second), shown);
        }
    }
}
