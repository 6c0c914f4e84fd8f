//! Which columns of a table are read, and where they are.

use super::format::TableFormat;
use crate::cli::failure::Failure;

/// Names of the columns to read.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub text: String,
    /// Whether the command has the options of tables, for messages, and whether at least that of the texts' column.
    pub has_option: bool,
    pub has_column_option: bool,
    /// The column of ids, and whether a table without it is refused.
    pub id: (String, bool),
    pub title: Option<String>,
    /// Whether to keep all the other columns, too.
    pub rest: bool,
}

/// Indices of the wanted columns.
#[derive(Clone, Copy)]
pub struct Places {
    pub text: usize,
    pub id: Option<usize>,
    pub title: Option<usize>,
}

#[cfg(feature = "parquet")]
impl Places {
    /// All of them, in the order of the table.
    pub fn sorted(&self) -> Vec<usize> {
        let mut places: Vec<usize> =
            [Some(self.text), self.id, self.title].into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// The same columns in a table that has only these.
    pub fn among(&self, columns: &[usize]) -> Places {
        let find = |place: usize| columns.iter().position(|column| *column == place);
        Places {
            text: find(self.text).unwrap_or_default(),
            id: self.id.and_then(find),
            title: self.title.and_then(find),
        }
    }
}

/// Columns that a message names, and letters of each: a table without names has its first record for them.
const NAMED: usize = 12;
const NAMED_LETTERS: usize = 40;

impl Wanted {
    /// The texts of this column, and the ids of a column of that name; `has_option` where the command can be told it.
    pub fn text(column: &str, has_option: bool) -> Wanted {
        Wanted {
            text: column.to_owned(),
            has_option: false,
            has_column_option: has_option,
            id: ("id".to_owned(), false),
            title: None,
            rest: false,
        }
    }

    /// Whether the command has the option of this name.
    pub fn has(&self, option: &str) -> bool {
        self.has_option || (self.has_column_option && option == "column")
    }

    /// Refuses names of columns for lines, which have none.
    pub fn must_have_columns(&self, format: TableFormat) -> Result<(), Failure> {
        let is_asked = self.text != "text" || self.id.1 || self.title.is_some();
        match format == TableFormat::Lines && is_asked && self.has_option {
            true => Err(Failure::Usage(
                "lines have no columns; use --input-format for a file in another format".into(),
            )),
            false => Ok(()),
        }
    }

    /// Finds them among a table's column names; `hint` ends the message where one is not there.
    pub fn places(
        &self,
        file: &str,
        names: &[String],
        hint: impl Fn() -> Option<String>,
    ) -> Result<Places, Failure> {
        let find = |column: &str| -> Result<Option<usize>, Failure> {
            let mut found = (0..names.len()).filter(|i| names[*i] == column);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(Failure::Failed(format!(
                    "{file}: the column {column:?} is there twice; rename one of the two"
                ))),
                (first, _) => Ok(first),
            }
        };
        let must = |column: &str, option: &str| {
            find(column)?.ok_or_else(|| {
                let hint = match (near(column, names), hint()) {
                    (Some(near), _) if self.has(option) => {
                        format!("; --{option} {near:?} would name the one that is there")
                    }
                    (_, Some(hint)) if self.has_option => format!("; {hint}"),
                    _ if self.has_column_option && option == "column" => {
                        "; choose the column of the texts with --column".to_owned()
                    }
                    _ => String::new(),
                };
                Failure::Failed(format!(
                    "{file}: no column {column:?}; it has {}{hint}",
                    listed(names)
                ))
            })
        };
        let (id, asked) = &self.id;
        Ok(Places {
            text: must(&self.text, "column")?,
            id: if *asked { Some(must(id, "id-column")?) } else { find(id)? },
            title: self.title.as_deref().map(|title| must(title, "title-column")).transpose()?,
        })
    }
}

/// The name that differs from this one in its case or in spaces around it only.
pub fn near<'a>(name: &str, names: &'a [String]) -> Option<&'a String> {
    names.iter().find(|other| other.trim().to_lowercase() == name.trim().to_lowercase())
}

/// Names for a message.
pub fn listed(names: &[String]) -> String {
    let short = |name: &String| match name.char_indices().nth(NAMED_LETTERS) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.clone(),
    };
    let shown: Vec<String> = names.iter().take(NAMED).map(short).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
