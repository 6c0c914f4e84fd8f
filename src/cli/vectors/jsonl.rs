//! Lines of {"id", "embedding"}, as embed and batch write them.

use std::fmt;
use std::io::Read;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::{Map, Value};

use super::decode::{Decode, Stored, plus_128};
use super::{Label, Next, Place, Vectors};
use crate::cli::failure::Failure;
use crate::cli::records::{Id, Lines, parse_json};

pub struct Jsonl {
    lines: Lines,
    decode: Decode,
    label: Label,
}

#[derive(serde::Deserialize)]
struct Line {
    id: Option<Id>,
    text: Option<String>,
    /// None where there is no such key.
    #[serde(default, deserialize_with = "present")]
    embedding: Option<Option<Vec<Number>>>,
    path: Option<String>,
    heading: Option<String>,
    chunk_begin: Option<u64>,
    chunk_end: Option<u64>,
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
    pub fn new(reader: Box<dyn Read + Send>, name: String, told: Option<Decode>) -> Jsonl {
        let (decode, label) = (told.unwrap_or_default(), Label::default());
        Jsonl { lines: Lines::new(reader, name), decode, label }
    }
}

impl Jsonl {
    /// Decodes whole numbers.
    fn whole(&self, values: &[Number], vector: &mut Vec<f32>) {
        let byte = |number: &Number| match self.decode.stored() {
            Some(Stored::Unsigned) => number.value as u8,
            _ => plus_128(number.value as i8),
        };
        self.decode.extend(values.iter().map(byte), vector);
    }
}

impl Vectors for Jsonl {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        while let Some(line) = self.lines.next_line()? {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let line: Line = parse_json(&line).map_err(|reason| self.lines.fault(reason))?;
            let place = line.chunk_begin.zip(line.chunk_end).map(|(chunk_begin, chunk_end)| {
                Place { path: line.path, heading: line.heading, chunk_begin, chunk_end }
            });
            self.label = Label { id: line.id, text: line.text, place, color: None };
            let Some(values) = line.embedding else {
                let reason = "no vector `embedding`; --in takes a file that batch or embed wrote";
                return Err(self.lines.fault(reason.to_owned()).into());
            };
            let Some(values) = values else { return Ok(Next::Null) };
            vector.clear();
            let is_whole = !values.is_empty() && values.iter().all(|value| value.is_integer);
            let stored = match is_whole {
                false => Stored::Single,
                // One vector's values do not tell.
                true => self.decode.stored().unwrap_or(Stored::Signed),
            };
            self.decode.check(stored, values.len()).map_err(|why| self.lines.fault(why))?;
            match is_whole {
                false => vector.extend(values.iter().map(|value| value.value)),
                true => self.whole(&values, vector),
            }
            return Ok(Next::Vector);
        }
        Ok(Next::End)
    }

    fn label(&self) -> Label {
        self.label.clone()
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
