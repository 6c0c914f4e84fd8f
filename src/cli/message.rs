//! Messages for people, on standard error. Each is one line. Errors of writing are ignored: a closed standard error is
//! no reason to fail.

use std::borrow::Cow;
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

/// As many letters of a text, with dots where there are more.
pub fn shortened(text: &str, letters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(letters) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The same on one line, for a field of an answer.
pub fn one_line(text: &str, letters: usize) -> String {
    shortened(text, letters).replace(char::is_control, " ")
}

/// A line without a label.
pub fn line(message: impl Display) {
    let _ = writeln!(stderr().lock(), "{}", shown(&message.to_string()));
}

/// Bytes that are shown of a message, of its beginning and of its end.
const SHOWN_BYTES: (usize, usize) = (1500, 500);

/// A message as one line of a bearable length. Names in it may come from strangers' data: what would act on a terminal
/// is escaped.
fn shown(message: &str) -> String {
    // Marks that turn the direction of the letters after them.
    let turns = |c| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(message.len());
    for c in message.chars() {
        match c.is_control() || turns(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    let (begin, end) = SHOWN_BYTES;
    if shown.len() > begin + end + 100 {
        let (begin, end) = (shown.floor_char_boundary(begin), shown.len() - end);
        let end = shown.floor_char_boundary(end);
        shown = format!("{} [...] {}", &shown[..begin], &shown[end..]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_short_line() {
        assert_eq!(shown("plain, \u{e9} \u{1F600}"), "plain, \u{e9} \u{1F600}");
        assert_eq!(shown("a\nb\r\x1b[31m\u{9b}\u{202e}\t"), r"a\nb\r\u{1b}[31m\u{9b}\u{202e}\t");
        let long = format!("{}; do this", "\u{e9}".repeat(50_000));
        assert!(shown(&long).len() < 2200 && shown(&long).ends_with("; do this"));
    }
}
