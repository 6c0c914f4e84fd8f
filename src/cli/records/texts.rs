//! Texts without anything else: a line each, or an argument of the command line each.

use std::io::Read;
use std::vec;

use super::lines::{Fault, Lines};
use super::{Fields, Found, Row, TableReader};

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

impl TableReader for Texts {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let Some(text) = self.lines.next_line()? else { return Ok(None) };
        let row = match self.keep {
            true => Row::Strings { values: vec![String::new()], gap: Some(0) },
            false => Row::None,
        };
        Ok(Some(Fields { place: self.lines.place(), text, id: Found::None, title: None, row }))
    }

    fn position(&self) -> u64 {
        self.lines.bytes()
    }

    fn is_drained(&self) -> bool {
        self.lines.is_drained()
    }
}

pub struct Arguments(pub vec::IntoIter<String>);

impl TableReader for Arguments {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        let fields = |text| Fields {
            place: String::new(),
            text,
            id: Found::None,
            title: None,
            row: Row::None,
        };
        Ok(self.0.next().map(fields))
    }

    fn position(&self) -> u64 {
        0
    }
}
