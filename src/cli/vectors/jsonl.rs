//! Lines of {"id", "embedding"}, as embed and batch write them.

use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Map, Value};

use super::{Label, Next, READS, Vectors};
use crate::cli::failure::Failure;
use crate::cli::records::{Id, Lines, parse_json};

pub struct Jsonl {
    lines: Lines,
    label: (Option<Id>, Option<String>),
}

#[derive(serde::Deserialize)]
struct Line {
    id: Option<Id>,
    text: Option<String>,
    /// None where there is no such key.
    #[serde(default, deserialize_with = "present")]
    embedding: Option<Option<Vec<Number>>>,
}

/// A value, and whether it is written as an integer: batch and embed write every float with a point or an exponent.
struct Number {
    value: f32,
    is_integer: bool,
}

/// Whether the first line has a vector; having neither a vector nor a text is a failure.
pub fn are_in(
    reader: Box<dyn Read + Send>,
    name: String,
    text_column: &str,
) -> Result<bool, Failure> {
    let mut lines = Lines::new(reader, name);
    while let Some(line) = lines.next_line()? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        return match parse_json::<Map<String, Value>>(&line) {
            Ok(object) if object.contains_key("embedding") => Ok(true),
            Ok(object) if !object.contains_key(text_column) => {
                let reason = format!(
                    "neither a vector `embedding` nor a text `{text_column}`; --in takes texts, whose key --column \
                     names, or a file that batch or embed wrote"
                );
                Err(lines.fault(reason).into())
            }
            // What is wrong with a line, its reader will say.
            Ok(_) | Err(_) => Ok(false),
        };
    }
    Ok(true)
}

impl Jsonl {
    pub fn new(reader: Box<dyn Read + Send>, name: String) -> Jsonl {
        Jsonl { lines: Lines::new(reader, name), label: (None, None) }
    }
}

impl Vectors for Jsonl {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        while let Some(line) = self.lines.next_line()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = parse_json(&line).map_err(|reason| self.lines.fault(reason))?;
            self.label = (line.id, line.text);
            let Some(values) = line.embedding else {
                let reason = "no vector `embedding`; --in takes a file that batch or embed wrote";
                return Err(self.lines.fault(reason.to_owned()).into());
            };
            let Some(values) = values else { return Ok(Next::Null) };
            if !values.is_empty() && values.iter().all(|value| value.is_integer) {
                return Err(self.lines.fault(format!("its values are integers; {READS}")).into());
            }
            vector.clear();
            vector.extend(values.iter().map(|value| value.value));
            return Ok(Next::Vector);
        }
        Ok(Next::End)
    }

    fn label(&self) -> Label {
        let (id, text) = self.label.clone();
        Label { id, text }
    }
}

fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Vec<Number>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        struct Kinds;
        impl Visitor<'_> for Kinds {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number { value: value as f32, is_integer: false })
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number { value: value as f32, is_integer: true })
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number { value: value as f32, is_integer: true })
            }
        }
        // As for f32 itself, so that values are rounded once.
        deserializer.deserialize_f32(Kinds)
    }
}
