//! Lines of {"id", "embedding"}, as embed and batch write them.

use std::io::Read;

use serde::Deserialize;

use super::{Label, Vectors};
use crate::cli::failure::Failure;
use crate::cli::records::{Id, Lines, parse_json};

pub struct Jsonl {
    lines: Lines,
    label: (Option<Id>, Option<String>),
}

#[derive(Deserialize)]
struct Line {
    id: Option<Id>,
    text: Option<String>,
    embedding: Vec<f32>,
}

impl Jsonl {
    pub fn new(reader: Box<dyn Read + Send>, name: String) -> Jsonl {
        Jsonl { lines: Lines::new(reader, name), label: (None, None) }
    }
}

impl Vectors for Jsonl {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<bool, Failure> {
        while let Some(line) = self.lines.next_line()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = parse_json(&line).map_err(|reason| self.lines.fault(reason))?;
            self.label = (line.id, line.text);
            *vector = line.embedding;
            return Ok(true);
        }
        Ok(false)
    }

    fn label(&self) -> Label {
        let (id, text) = self.label.clone();
        Label { id, text }
    }
}
