//! One JSON object a line.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lines::{Fault, Lines};
use super::object::{self, Member, Raw, kind};
use super::wanted::near;
use super::{Fields, Found, Id, Row, TableReader, Wanted};

pub struct Jsonl {
    lines: Lines,
    wanted: Wanted,
}

impl Jsonl {
    pub fn new(reader: Box<dyn Read + Send>, name: String, wanted: Wanted) -> Jsonl {
        Jsonl { lines: Lines::new(reader, name), wanted }
    }
}

impl TableReader for Jsonl {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        while let Some(line) = self.lines.next_line()? {
            // Files that were put one after another have their marks at the beginnings of lines.
            let line = match line.strip_prefix('\u{FEFF}') {
                Some(rest) => rest.trim_start_matches('\u{FEFF}').to_owned(),
                None => line,
            };
            if !line.trim_ascii().is_empty() {
                let fields = fields(line, &self.lines.place(), &self.wanted);
                return fields.map(Some).map_err(|reason| self.lines.fault(reason));
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

/// A text that is longer is not copied out of its line.
const LONG_BYTES: usize = 1 << 20;

/// What is wanted of an object; nothing else of it is judged.
pub fn fields(line: String, place: &str, wanted: &Wanted) -> Result<Fields, String> {
    let members = object::members(&line)?;
    let find = |name: &str| -> Result<Option<Raw<'_>>, String> {
        let mut found = members.iter().filter(|member| member.key() == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(format!("the key `{name}` is there twice")),
            (first, _) => Ok(first.map(|member| member.value)),
        }
    };
    let must = |name: &str, option: &str| {
        find(name)?.ok_or_else(|| {
            let keys: Vec<String> = members.iter().map(|m| m.key().into_owned()).collect();
            match near(name, &keys) {
                Some(near) if wanted.has(option) => {
                    format!("no key `{name}`; --{option} {near:?} would name the one that is there")
                }
                Some(near) => format!("no key `{name}`, but {near:?}"),
                None if wanted.has_column_option && option == "column" => {
                    format!("no key `{name}`; choose the key of the texts with --column")
                }
                None => format!("no key `{name}`"),
            }
        })
    };
    let string = |name: &str, raw: Raw<'_>| match raw.parse()? {
        Value::String(text) => Ok(text),
        other => Err(format!("`{name}` is {}, not a string", kind(&other))),
    };
    let raw = must(&wanted.text, "column")?;
    let (name, is_asked) = &wanted.id;
    let id = match is_asked {
        true => match id_of(must(name, "id-column")?) {
            Found::Id(id) => Found::Id(id),
            Found::None => {
                return Err(format!("`{name}` is null; it must be a string or a 64-bit integer"));
            }
            Found::Other(other) => {
                return Err(format!(
                    "`{name}` is {other}; it must be a string or a 64-bit integer"
                ));
            }
        },
        false => find(name)?.map_or(Found::None, id_of),
    };
    let title = match &wanted.title {
        Some(name) => match find(name)? {
            Some(raw) if raw.text != "null" => Some(string(name, raw)?),
            _ => None,
        },
        None => None,
    };
    let row = match wanted.rest {
        true => Row::Json { values: beside(&members, &wanted.text)?, text: None },
        false => Row::None,
    };
    let text = match raw.text.len() > LONG_BYTES && raw.text.starts_with('"') {
        false => string(&wanted.text, raw)?,
        true => {
            let range = raw.range();
            object::taken(line, range)
                .ok_or_else(|| format!("`{}` is no valid text", wanted.text))?
        }
    };
    Ok(Fields { place: place.to_owned(), text, id, title, row })
}

/// Every key with the text of its value; that of the texts has none.
fn beside(members: &[Member<'_>], text: &str) -> Result<Vec<(String, String)>, String> {
    let mut row: Vec<(String, String)> = Vec::with_capacity(members.len());
    for member in members {
        let key = member.key().into_owned();
        if row.iter().any(|(known, _)| *known == key) {
            return Err(format!("the key `{key}` is there twice"));
        }
        let value = if key == text { "" } else { member.value.text };
        row.push((key, value.to_owned()));
    }
    Ok(row)
}

/// The id that a value is. Pandas writes integers with a point where one of them is missing.
fn id_of(raw: Raw<'_>) -> Found {
    match raw.parse() {
        Ok(Value::Null) => Found::None,
        Ok(Value::String(id)) => Found::Id(Id::String(id)),
        Ok(Value::Number(number)) => Id::of_number(&number).map_or_else(
            // As it is written: a number of more digits would be shown rounded.
            || Found::Other(raw.text.to_owned()),
            Found::Id,
        ),
        Ok(other) => Found::Other(kind(&other).to_owned()),
        Err(_) => Found::Other("no valid JSON".to_owned()),
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
