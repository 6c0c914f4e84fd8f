//! The columns of a table besides its texts, which a Parquet file keeps.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The columns of a record, as its format represents them.
#[derive(Clone, Debug)]
pub enum Row {
    /// None are kept.
    None,
    /// A value for each of the table's columns.
    Strings(Vec<String>),
    /// Keys and values in the order of the line.
    Json(Vec<(String, Value)>),
    /// A row of a batch, with its share of the batch's bytes.
    #[cfg(feature = "parquet")]
    Arrow { batch: std::sync::Arc<arrow_array::RecordBatch>, row: usize, bytes: usize },
}

#[cfg(feature = "parquet")]
impl Row {
    /// Approximate memory of the row, in bytes.
    pub fn bytes(&self) -> usize {
        fn of_value(value: &Value) -> usize {
            size_of::<Value>()
                + match value {
                    Value::String(text) => text.len(),
                    Value::Array(values) => values.iter().map(of_value).sum(),
                    Value::Object(values) => {
                        values.iter().map(|(key, value)| key.len() + of_value(value)).sum()
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) => 0,
                }
        }
        let held = match self {
            Row::None => 0,
            Row::Strings(values) => {
                values.iter().map(|text| size_of::<String>() + text.len()).sum()
            }
            Row::Json(values) => values
                .iter()
                .map(|(key, value)| size_of::<String>() + key.len() + of_value(value))
                .sum(),
            Row::Arrow { bytes, .. } => *bytes,
        };
        size_of::<Row>() + held
    }
}

/// Names and types of the columns that are kept.
#[derive(Clone, Debug)]
pub enum Columns {
    None,
    Strings(Vec<String>),
    Json(Vec<(String, Kind)>),
    #[cfg(feature = "parquet")]
    Arrow(arrow_schema::SchemaRef),
}

/// The type of a key's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Float,
    /// Strings, and anything else as JSON text.
    String,
}

/// A JSON object with its keys in order and without duplicates.
pub struct Object(pub Vec<(String, Value)>);

impl Columns {
    /// The one column of a file of lines.
    pub fn texts() -> Columns {
        Columns::Strings(vec!["text".to_owned()])
    }

    /// Keys in the order in which they first appear; values of mixed types become strings.
    pub fn of_json<'a>(rows: impl Iterator<Item = &'a Row>) -> Columns {
        let mut columns: Vec<(String, Option<Kind>)> = Vec::new();
        for row in rows {
            let Row::Json(row) = row else { continue };
            for (key, value) in row {
                let kind = Kind::of(value);
                match columns.iter_mut().find(|(known, _)| known == key) {
                    Some((_, known)) => *known = Kind::join(*known, kind),
                    None => columns.push((key.clone(), kind)),
                }
            }
        }
        let typed = |(key, kind): (String, Option<Kind>)| (key, kind.unwrap_or(Kind::String));
        Columns::Json(columns.into_iter().map(typed).collect())
    }

    /// Checks that a record fits the columns; the error says why not.
    pub fn check(&self, row: &Row) -> Result<(), String> {
        let (Columns::Json(columns), Row::Json(row)) = (self, row) else { return Ok(()) };
        if columns.is_empty() {
            return Ok(());
        }
        for (key, value) in row {
            let Some((_, kind)) = columns.iter().find(|(known, _)| known == key) else {
                return Err(format!(
                    "unexpected key `{key}`: the first {} records define the columns of a Parquet file; put a record with \
                     this key among them, or write another format",
                    super::SAMPLE
                ));
            };
            if Kind::join(Some(*kind), Kind::of(value)) != Some(*kind) {
                return Err(format!(
                    "`{key}` is not {}, unlike in the first {} records, which define the columns of a Parquet file",
                    kind.name(),
                    super::SAMPLE
                ));
            }
        }
        Ok(())
    }
}

impl Kind {
    fn of(value: &Value) -> Option<Kind> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Kind::Bool),
            Value::Number(number) if number.is_i64() => Some(Kind::Int),
            // A float would lose digits.
            Value::Number(number) if number.is_u64() => Some(Kind::String),
            Value::Number(_) => Some(Kind::Float),
            Value::String(_) | Value::Array(_) | Value::Object(_) => Some(Kind::String),
        }
    }

    /// The type that holds values of both.
    fn join(a: Option<Kind>, b: Option<Kind>) -> Option<Kind> {
        match (a, b) {
            (None, other) | (other, None) => other,
            (Some(a), Some(b)) if a == b => Some(a),
            (Some(Kind::Int | Kind::Float), Some(Kind::Int | Kind::Float)) => Some(Kind::Float),
            _ => Some(Kind::String),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Bool => "a boolean",
            Kind::Int => "a 64-bit integer",
            Kind::Float => "a number",
            Kind::String => "a string",
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if object.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format_args!(
                            "duplicate key `{key}`"
                        )));
                    }
                    object.push((key, value));
                }
                Ok(Object(object))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: &str) -> Row {
        Row::Json(serde_json::from_str::<Object>(line).unwrap().0)
    }

    #[test]
    fn columns_are_those_of_the_first_records() {
        let rows = [
            row(r#"{"text":"a","n":1,"x":1,"flag":true,"any":1,"none":null}"#),
            row(r#"{"more":[1],"text":"b","n":-2,"x":1.5,"flag":null,"any":"s"}"#),
        ];
        let columns = Columns::of_json(rows.iter());
        let Columns::Json(found) = &columns else { panic!() };
        let found: Vec<(&str, Kind)> = found.iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(
            found,
            [
                ("text", Kind::String),
                ("n", Kind::Int),
                ("x", Kind::Float),
                ("flag", Kind::Bool),
                ("any", Kind::String),
                ("none", Kind::String),
                ("more", Kind::String),
            ]
        );
        rows.iter().for_each(|row| columns.check(row).unwrap());
        columns.check(&row(r#"{"any":{"deep":1},"x":7}"#)).unwrap();
        for (line, message) in [
            (r#"{"n":1.5}"#, "`n` is not a 64-bit integer"),
            (r#"{"flag":1}"#, "`flag` is not a boolean"),
            (r#"{"other":1}"#, "unexpected key `other`"),
        ] {
            assert!(columns.check(&row(line)).unwrap_err().starts_with(message));
        }
        assert!(serde_json::from_str::<Object>(r#"{"a":1,"a":2}"#).is_err());
    }
}
