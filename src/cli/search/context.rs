//! The lines around a chunk in its file.

use std::path::Path;

use crate::cli::message;
use crate::cli::records::text_of_file;
use crate::cli::vectors::Label;

/// A text with lines before and after it.
pub struct Context<'a> {
    text: &'a str,
    before: String,
    after: String,
    /// The number of the text's first line, where that is known.
    line: Option<usize>,
}

impl<'a> Context<'a> {
    /// A result's text with so many lines before and after it, if its file still has it where it was.
    pub fn of(label: &'a Label, lines: usize) -> Context<'a> {
        let text = label.text.as_deref().unwrap_or_default();
        let alone = Context { text, before: String::new(), after: String::new(), line: None };
        let Some(place) = &label.place else { return alone };
        let Some(path) = &place.path else { return alone };
        let whole = match text_of_file(Path::new(path)) {
            Ok(whole) => whole,
            Err(reason) => {
                message::warning(format_args!("{path}: {reason}; the chunk is shown alone"));
                return alone;
            }
        };
        let (begin, end) = (place.chunk_begin as usize, place.chunk_end as usize);
        if whole.get(begin..end) != Some(text) {
            message::warning(format_args!("{path} has changed since; the chunk is shown alone"));
            return alone;
        }
        let line = whole[..begin].matches('\n').count() + 1;
        // The chunk may begin or end within a line.
        let earlier: Vec<&str> = whole[..begin].split_inclusive('\n').collect();
        let later: Vec<&str> = whole[end..].split_inclusive('\n').collect();
        let is_within = earlier.last().is_some_and(|last| !last.ends_with('\n'));
        let before = earlier.len().saturating_sub(lines + usize::from(is_within));
        let (before, after) = (&earlier[before..], &later[..later.len().min(lines + 1)]);
        Context { text, before: before.concat(), after: after.concat(), line: Some(line) }
    }

    /// As grep shows it: the number of each line, a colon where the line is of the text, and the line.
    pub fn shown(&self) -> String {
        let whole = format!("{}{}{}", self.before, self.text, self.after);
        let begin = self.before.matches('\n').count();
        let end = begin + self.text.matches('\n').count();
        let first = self.line.map(|line| line - begin);
        let lines = whole.lines().enumerate().map(|(i, line)| {
            let mark = if (begin..=end).contains(&i) { ':' } else { '-' };
            let line = line.replace(|c: char| c.is_control() && c != '\t', " ");
            let number = first.map_or(String::new(), |first| format!("{}", first + i));
            format!("{number}{mark}{line}\n")
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::vectors::Place;

    #[test]
    fn lines_around_a_chunk_are_numbered() {
        let path = std::env::temp_dir().join(format!("monomorph-context-{}", std::process::id()));
        std::fs::write(&path, "one\ntwo\n\nthree a. Three b.\nfour\n\nfive\n").unwrap();
        let of = |begin, end, text: &str| Label {
            text: Some(text.to_owned()),
            place: Some(Place {
                path: path.to_str().map(str::to_owned),
                heading: None,
                chunk_begin: begin,
                chunk_end: end,
            }),
            ..Label::default()
        };
        let label = of(18, 31, "Three b.\nfour");
        assert_eq!(Context::of(&label, 1).shown(), "3-\n4:three a. Three b.\n5:four\n6-\n");
        let changed = of(18, 31, "Three c.\nfour");
        assert_eq!(Context::of(&changed, 1).shown(), ":Three c.\n:four\n");
        std::fs::remove_file(&path).unwrap();
    }
}
