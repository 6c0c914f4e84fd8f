//! Messages for people, on standard error. Each is one line. Errors of writing are ignored: a closed standard error is
//! no reason to fail.

use std::fmt::Display;
use std::io::{Write, stderr};

/// The command failed.
pub fn error(message: impl Display) {
    line(format_args!("error: {message}"));
}

/// There is a result, but it may not be what was meant.
pub fn warning(message: impl Display) {
    line(format_args!("warning: {message}"));
}

/// Something worth knowing.
pub fn note(message: impl Display) {
    line(format_args!("note: {message}"));
}

/// A number of things that the noun names: "1 text", "2 texts".
pub fn counted(n: u64, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// A line without a label.
pub fn line(message: impl Display) {
    let _ = writeln!(stderr().lock(), "{message}");
}
