//! Progress of a comparison of all pairs, on a terminal.

use std::io::{IsTerminal, stderr, stdout};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, in thousandths of all pairs.
pub struct Progress(ProgressBar);

impl Progress {
    /// Shown unless the answer goes to the same terminal while pairs are compared.
    pub fn new(prints_meanwhile: bool) -> Progress {
        let is_shown = stderr().is_terminal() && !(prints_meanwhile && stdout().is_terminal());
        let target =
            if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress(bar)
    }

    /// A block from row `begin` to `end` has been compared with the rows up to `row`, of so many in all. Their number is
    /// known once the file has been read.
    pub fn update(&self, [begin, end, row]: [u64; 3], rows: Option<u64>) {
        let Some(rows) = rows.filter(|rows| *rows > 0) else {
            self.0.set_message(format!("{row} rows read"));
            return;
        };
        let left = |from: u64| ((rows - from.min(rows)) as f64 / rows as f64).powi(2);
        let part = (row - begin) as f64 / (rows - begin).max(1) as f64;
        let done = 1.0 - left(begin) + part * (left(begin) - left(end));
        self.0.set_position((1000.0 * done) as u64);
        self.0.set_message(format!("{rows} rows"));
    }

    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
