//! One JSON object a line.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::fields::Object;
use super::lines::{Fault, Lines};
use super::{Fields, Id, Row, TableReader, Wanted};

pub struct Jsonl {
    lines: Lines,
    wanted: Wanted,
}

impl Jsonl {
    pub fn new(reader: Box<dyn Read + Send>, name: String, wanted: Wanted) -> Jsonl {
        Jsonl { lines: Lines::new(reader, name), wanted }
    }

    fn fields(&self, line: &str) -> Result<Fields, String> {
        let Object(object) = parse(line)?;
        let find = |name: &str| object.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let text = match find(&self.wanted.text) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => return Err(not_a_string(&self.wanted.text, other)),
            None => {
                let hint = match self.wanted.has_option {
                    true => " (--column names the key of the texts)",
                    false => "",
                };
                return Err(format!("no key `{}`{hint}", self.wanted.text));
            }
        };
        let id = match find(&self.wanted.id.0) {
            Some(Value::Null) | None => None,
            Some(Value::String(id)) => Some(Id::String(id.clone())),
            Some(Value::Number(id)) if id.is_u64() => id.as_u64().map(Id::Unsigned),
            Some(Value::Number(id)) if id.is_i64() => id.as_i64().map(Id::Signed),
            Some(other) => {
                let name = &self.wanted.id.0;
                let found = match other {
                    Value::Number(number) => number.to_string(),
                    other => kind(other).to_owned(),
                };
                return Err(format!(
                    "`{name}` is {found}; it must be a string or a 64-bit integer"
                ));
            }
        };
        if id.is_none() && self.wanted.id.1 {
            let name = &self.wanted.id.0;
            return Err(match find(name) {
                Some(_) => format!("`{name}` is null; it must be a string or a 64-bit integer"),
                None => format!("no key `{name}`"),
            });
        }
        let title = self.wanted.title.as_deref();
        let title = match title.and_then(|name| Some((name, find(name)?))) {
            Some((_, Value::String(title))) => Some(title.clone()),
            Some((_, Value::Null)) | None => None,
            Some((name, other)) => return Err(not_a_string(name, other)),
        };
        let row = if self.wanted.rest { Row::Json(object) } else { Row::None };
        Ok(Fields { place: self.lines.place(), text, id, title, row })
    }
}

impl TableReader for Jsonl {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        while let Some(line) = self.lines.next_line()? {
            if !line.trim_ascii().is_empty() {
                return self.fields(&line).map(Some).map_err(|reason| self.lines.fault(reason));
            }
        }
        Ok(None)
    }

    fn position(&self) -> u64 {
        self.lines.bytes()
    }

    fn is_drained(&self) -> bool {
        self.lines.is_drained()
    }
}

fn not_a_string(name: &str, value: &Value) -> String {
    format!("`{name}` is {}, not a string", kind(value))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Parses a line; the error is one line with the column.
pub fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| {
        let message = error.to_string();
        // The line number that serde_json adds is always 1 here.
        let reason =
            message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
        match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(_)) => format!("column {}: {reason}", error.column()),
            Ok(other) => format!("{}, not an object", kind(&other)),
            Err(_) => format!("not valid JSON at column {}: {reason}", error.column()),
        }
    })
}
