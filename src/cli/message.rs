//! Messages for people, on standard error. Each is one line; what cannot be written is dropped,
//! because a closed standard error is no reason to fail.

use std::fmt::Display;
use std::io::{Write, stderr};

/// The command failed.
pub fn error(message: impl Display) {
    line(format_args!("error: {message}"));
}

/// The result is there, but perhaps not what was meant.
pub fn warning(message: impl Display) {
    line(format_args!("warning: {message}"));
}

/// Something to know.
pub fn note(message: impl Display) {
    line(format_args!("note: {message}"));
}

/// A line without a label.
pub fn line(message: impl Display) {
    let _ = writeln!(stderr().lock(), "{message}");
}
