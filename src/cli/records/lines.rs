//! A text a line.

use std::io::Read;

use super::{Fields, Format, Row};
use crate::cli::input::{Fault, Lines};

pub struct Texts {
    lines: Lines,
    /// Whether the text is also a column of the output.
    keep: bool,
}

impl Texts {
    pub fn new(reader: Box<dyn Read + Send>, name: String, keep: bool) -> Texts {
        Texts { lines: Lines::new(reader, name), keep }
    }
}

impl Format for Texts {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let Some(text) = self.lines.next_line()? else { return Ok(None) };
        let row = if self.keep { Row::Strings(vec![text.clone()]) } else { Row::None };
        Ok(Some(Fields { place: self.lines.place(), text, id: None, title: None, row }))
    }

    fn position(&self) -> u64 {
        self.lines.bytes()
    }
}
