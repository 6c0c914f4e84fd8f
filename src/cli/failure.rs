//! How a command ends when it does not end well, and the exit code of each way.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Why a command stopped early.
#[derive(Debug)]
pub enum Failure {
    /// The command line asks for something that makes no sense: exit code 2.
    Usage(String),
    /// So many records are missing from an output that is whole otherwise: exit code 3.
    LeftOut(u64),
    /// A signal ended the work: exit code 130, as shells have it for Ctrl-C.
    Interrupted(String),
    /// Anything else that went wrong: exit code 1.
    Failed(String),
    /// The reader of standard output went away, as `| head` does. That is no fault: exit code 0, nothing said.
    ClosedPipe,
}

impl Failure {
    /// The exit code after a signal.
    pub const INTERRUPTED: u8 = 130;

    /// A failed write; `target` names where to.
    pub fn writing(target: impl fmt::Display, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Failed(format!("cannot write {target}: {error}")),
        }
    }

    /// A failed read; `source` names where from.
    pub fn reading(source: impl fmt::Display, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot read {source}: {error}"))
    }

    /// Says what there is to say on standard error, and gives the exit code.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::ClosedPipe => ExitCode::SUCCESS,
            Failure::Failed(message) => {
                super::message::error(&message);
                ExitCode::FAILURE
            }
            Failure::LeftOut(records) => {
                let (records, were) = match records {
                    1 => ("1 record".to_owned(), "was"),
                    n => (format!("{n} records"), "were"),
                };
                super::message::error(format_args!("{records} {were} left out, see above"));
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
        Failure::Failed(error.to_string())
    }
}
