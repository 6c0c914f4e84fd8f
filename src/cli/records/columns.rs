//! The columns of a table besides its texts, which a Parquet file keeps.

use std::sync::Arc;

use super::scalar::{Kind, Scalar, Seen};
use super::wanted::listed;

/// The columns of a record, as its format represents them.
#[derive(Clone, Debug)]
pub enum Row {
    /// None are kept.
    None,
    /// A value for each of the table's columns, and the place where that of the text is missing: see [`Row::fill`].
    Strings { values: Vec<String>, gap: Option<usize> },
    /// Keys in the order of the line, and their values in JSON, but for the text: its value is empty until
    /// [`Row::fill`] adds it.
    Json { values: Vec<(String, String)>, text: Option<String> },
    /// A row of a batch, with its share of the batch's bytes.
    #[cfg(feature = "parquet")]
    Arrow { batch: Arc<arrow_array::RecordBatch>, row: usize, bytes: usize },
    /// A part of a record's text, beside its other columns.
    Chunk { kept: Arc<Row>, text: String, chunk: Chunk },
}

/// Where a chunk is in its text.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// From 0.
    pub number: u64,
    /// Its first byte, and the one after its last.
    pub bytes: [u64; 2],
    /// The headings above it, from the outermost.
    pub heading: Option<String>,
}

impl Row {
    /// Approximate memory of the row, in bytes.
    pub fn bytes(&self) -> usize {
        let held = match self {
            Row::None => 0,
            Row::Strings { values, .. } => {
                values.iter().map(|text| size_of::<String>() + text.len()).sum()
            }
            Row::Json { values, text } => {
                let pair = |(key, value): &(String, String)| {
                    2 * size_of::<String>() + key.len() + value.len()
                };
                text.as_ref().map_or(0, String::len) + values.iter().map(pair).sum::<usize>()
            }
            #[cfg(feature = "parquet")]
            Row::Arrow { bytes, .. } => *bytes,
            // The columns beside it are counted once, with the first chunk.
            Row::Chunk { kept, text, chunk } => {
                let columns = if chunk.number == 0 { kept.bytes() } else { 0 };
                columns + text.len() + chunk.heading.as_ref().map_or(0, String::len)
            }
        };
        size_of::<Row>() + held
    }

    /// Gives the row its text, which may be a book: it is in the record alone until it has been embedded. A row that has
    /// one keeps it.
    pub fn fill(&mut self, given: String) {
        match self {
            Row::Strings { values, gap } => {
                if let Some(value) = gap.take().and_then(|place| values.get_mut(place)) {
                    *value = given;
                }
            }
            Row::Json { text, .. } => {
                text.get_or_insert(given);
            }
            _ => {}
        }
    }
}

/// Names and types of the columns that are kept.
#[derive(Clone, Debug)]
pub enum Columns {
    None,
    Strings(Vec<(String, Kind)>),
    Json(Vec<(String, Kind)>),
    #[cfg(feature = "parquet")]
    Arrow(arrow_schema::SchemaRef),
    /// Columns of which that of the texts holds chunks, and those that say where the chunks are.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))]
    Chunks {
        kept: Box<Columns>,
        text: String,
    },
}

/// Records from which the types of columns are read.
#[derive(Default)]
pub struct Sample(Vec<(String, Seen)>);

impl Sample {
    /// Takes in a record. Keys are in the order in which they first appear.
    pub fn add(&mut self, row: &Row, names: &Columns) {
        match (row, names) {
            (Row::Json { values, .. }, _) => {
                for (key, value) in values {
                    self.see(key, Scalar::of_json(value));
                }
            }
            (Row::Strings { values, .. }, Columns::Strings(names)) => {
                for ((name, _), value) in names.iter().zip(values) {
                    self.see(name, Scalar::of_field(value));
                }
            }
            _ => {}
        }
    }

    fn see(&mut self, name: &str, value: Scalar) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, seen)) => seen.add(value),
            None => {
                let mut seen = Seen::default();
                seen.add(value);
                self.0.push((name.to_owned(), seen));
            }
        }
    }

    /// The same columns with the types that hold all of the sample. Those of `texts` are strings whatever they hold.
    pub fn columns(self, columns: &Columns, texts: &[&str]) -> Columns {
        let kind = |name: &str, seen: Option<&Seen>| match seen {
            Some(seen) if !texts.contains(&name) => seen.kind(),
            _ => Kind::String,
        };
        let find = |name: &str| self.0.iter().find(|(known, _)| known == name).map(|(_, s)| s);
        match columns {
            Columns::Json(_) => {
                let typed = |(name, seen): &(String, Seen)| (name.clone(), kind(name, Some(seen)));
                Columns::Json(self.0.iter().map(typed).collect())
            }
            Columns::Strings(names) => {
                let typed = |(name, _): &(String, Kind)| (name.clone(), kind(name, find(name)));
                Columns::Strings(names.iter().map(typed).collect())
            }
            other => other.clone(),
        }
    }
}

impl Columns {
    /// Columns of text.
    pub fn strings(names: &[String]) -> Columns {
        Columns::Strings(names.iter().map(|name| (name.clone(), Kind::String)).collect())
    }

    /// How the columns of another table differ, if they do.
    pub fn difference(&self, other: &Columns) -> Option<String> {
        match (self, other) {
            (Columns::Strings(names), Columns::Strings(others)) => {
                let of = |columns: &[(String, Kind)]| -> Vec<String> {
                    columns.iter().map(|(name, _)| name.clone()).collect()
                };
                let (names, others) = (of(names), of(others));
                (names != others).then(|| format!("{}, not {}", listed(&others), listed(&names)))
            }
            #[cfg(feature = "parquet")]
            (Columns::Arrow(schema), Columns::Arrow(others)) => {
                let of = |schema: &arrow_schema::SchemaRef| -> Vec<String> {
                    let fields = schema.fields().iter();
                    fields
                        .map(|field| format!("{} ({})", field.name(), field.data_type()))
                        .collect()
                };
                let (names, others) = (of(schema), of(others));
                (names != others).then(|| format!("{}, not {}", listed(&others), listed(&names)))
            }
            (Columns::None, Columns::None) | (Columns::Json(_), Columns::Json(_)) => None,
            _ => Some("it is of another format".to_owned()),
        }
    }

    /// Checks that a record fits the columns; the error says why not.
    pub fn check(&self, row: &Row) -> Result<(), String> {
        let (Columns::Json(columns), Row::Json { values, .. }) = (self, row) else {
            return Ok(());
        };
        if columns.is_empty() {
            return Ok(());
        }
        for (key, value) in values {
            let Some((_, kind)) = columns.iter().find(|(known, _)| known == key) else {
                return Err(format!(
                    "unexpected key `{key}`: the first {} records define the columns of a Parquet file; put a record with \
                     this key among them, give the table as a file, or write another format",
                    super::SAMPLE
                ));
            };
            if !kind.holds(Scalar::of_json(value)) {
                return Err(format!(
                    "`{key}` is not {}, unlike in the first {} records, which define the columns of a Parquet file; a \
                     table in a file is read as a whole first",
                    kind.name(),
                    super::SAMPLE
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::object;
    use super::*;

    fn row(line: &str) -> Row {
        let members = object::members(line).unwrap();
        let pair = |m: &object::Member<'_>| (m.key().into_owned(), m.value.text.to_owned());
        Row::Json { values: members.iter().map(pair).collect(), text: None }
    }

    #[test]
    fn columns_are_those_of_the_first_records() {
        let rows = [
            row(r#"{"text":"a","n":1,"x":1,"flag":true,"any":1,"none":null}"#),
            row(r#"{"more":[1],"text":"b","n":-2,"x":1.5,"flag":null,"any":"s"}"#),
        ];
        let none = Columns::Json(Vec::new());
        let mut sample = Sample::default();
        rows.iter().for_each(|row| sample.add(row, &none));
        let columns = sample.columns(&none, &["text"]);
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
    }

    #[test]
    fn texts_stay_texts() {
        let names = Columns::strings(&["text".to_owned(), "n".to_owned()]);
        let mut sample = Sample::default();
        let values = vec!["1".to_owned(), "2".to_owned()];
        sample.add(&Row::Strings { values, gap: None }, &names);
        let Columns::Strings(found) = sample.columns(&names, &["text"]) else { panic!() };
        assert_eq!(found[0].1, Kind::String);
        assert_eq!(found[1].1, Kind::Int);
    }
}
