//! The log, on standard error: one line for each request, and one for each thing that happens to the server. Never a
//! text, a vector or a key, at any level.

use std::io::stderr;
use std::str::FromStr;
use tracing::Level;

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// Begins to log what is at least as important as this level: `error`, `warn`, `info`, `debug` or `trace`; `off`
    /// and any other word log nothing. Only the first call in a process counts.
    pub fn start(self, level: &str) {
        let Ok(level) = Level::from_str(level) else { return };
        let log =
            tracing_subscriber::fmt().with_max_level(level).with_writer(stderr).with_target(false);
        let _ = match self {
            LogFormat::Text => log.with_ansi(false).try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        };
    }
}
