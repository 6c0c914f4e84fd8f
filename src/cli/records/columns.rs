//! The columns of a table besides its texts, which a Parquet file keeps.

use super::scalar::{Kind, Scalar, Seen};

/// The columns of a record, as its format represents them.
#[derive(Clone, Debug)]
pub enum Row {
    /// None are kept.
    None,
    /// A value for each of the table's columns.
    Strings(Vec<String>),
    /// Keys in the order of the line, and the text of their values, in JSON.
    Json(Vec<(String, String)>),
    /// A row of a batch, with its share of the batch's bytes.
    #[cfg(feature = "parquet")]
    Arrow { batch: std::sync::Arc<arrow_array::RecordBatch>, row: usize, bytes: usize },
}

impl Row {
    /// Approximate memory of the row, in bytes.
    pub fn bytes(&self) -> usize {
        let held = match self {
            Row::None => 0,
            Row::Strings(values) => {
                values.iter().map(|text| size_of::<String>() + text.len()).sum()
            }
            Row::Json(values) => values
                .iter()
                .map(|(key, value)| 2 * size_of::<String>() + key.len() + value.len())
                .sum(),
            #[cfg(feature = "parquet")]
            Row::Arrow { bytes, .. } => *bytes,
        };
        size_of::<Row>() + held
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
}

/// Records from which the types of columns are read.
#[derive(Default)]
pub struct Sample(Vec<(String, Seen)>);

impl Sample {
    /// Takes in a record. Keys are in the order in which they first appear.
    pub fn add(&mut self, row: &Row, names: &Columns) {
        match (row, names) {
            (Row::Json(row), _) => {
                for (key, value) in row {
                    self.see(key, Scalar::of_json(value));
                }
            }
            (Row::Strings(values), Columns::Strings(names)) => {
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
        Row::Json(members.iter().map(pair).collect())
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
        sample.add(&Row::Strings(vec!["1".to_owned(), "2".to_owned()]), &names);
        let Columns::Strings(found) = sample.columns(&names, &["text"]) else { panic!() };
        assert_eq!(found[0].1, Kind::String);
        assert_eq!(found[1].1, Kind::Int);
    }
}
