//! Why a command failed, and its exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command did not complete.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The output is complete except for this many bad records, `earlier` of them before the run was resumed: exit code
    /// 3.
    Skipped { records: u64, earlier: u64 },
    /// A signal ended the run: exit code 130, which shells use for Ctrl-C.
    Interrupted(String),
    /// Anything else: exit code 1.
    Failed(String),
    /// The same, with a note after it.
    Noted(Box<Failure>, String),
    /// The reader of standard output closed it, as `| head` does. This is not an error: exit code 0, no message.
    ClosedPipe,
}

impl Failure {
    /// The exit code after a signal.
    pub const INTERRUPTED: u8 = 130;

    /// A failed write to `target`.
    pub fn writing(target: impl fmt::Display, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Failed(format!("cannot write {target}: {error}")),
        }
    }

    /// A failed read from `source`.
    pub fn reading(source: impl fmt::Display, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot read {source}: {error}"))
    }

    /// The failure, and what its message is followed by.
    pub fn with_note(self, note: String) -> Failure {
        Failure::Noted(Box::new(self), note)
    }

    /// A file that this binary cannot read or write.
    pub fn without_parquet() -> Failure {
        let reason =
            "this binary was built without Parquet and Arrow; build it with --features parquet";
        Failure::Usage(reason.to_owned())
    }

    /// Prints the message on standard error, and returns the exit code.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Failed(message) => {
                super::message::error(&message);
                ExitCode::FAILURE
            }
            Failure::Noted(failure, note) => {
                let code = failure.report();
                super::message::note(note);
                code
            }
            Failure::Skipped { records, earlier } => {
                let skipped = super::message::counted(records, "record");
                let were = if records == 1 { "was" } else { "were" };
                let before = match earlier {
                    0 => String::new(),
                    n if n == records => " before this run was resumed".to_owned(),
                    n => format!(", {n} of them before this run was resumed"),
                };
                super::message::error(format_args!("{skipped} {were} skipped{before}"));
                ExitCode::from(3)
            }
            Failure::Interrupted(message) => {
                super::message::error(&message);
                ExitCode::from(Failure::INTERRUPTED)
            }
            Failure::Usage(message) => {
                super::message::error(&message);
                ExitCode::from(2)
            }
        }
    }
}

impl From<monomorph::Error> for Failure {
    fn from(error: monomorph::Error) -> Failure {
        Failure::Failed(match error {
            // The library names the option of its caller.
            monomorph::Error::Memory(error) => format!(
                "not enough memory to keep repacked weights: {error}; free some memory, or use embed or \
                 bench --no-keep, which do not keep them"
            ),
            error => error.to_string(),
        })
    }
}
