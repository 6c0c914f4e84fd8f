//! Ids of texts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text's name, given in the input and repeated in the output.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(untagged, expecting = "id must be a string or an integer")]
pub enum Id {
    String(String),
    Unsigned(u64),
    Signed(i64),
}

impl fmt::Display for Id {
    /// As JSON writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::String(id) => f.write_str(&serde_json::Value::from(id.as_str()).to_string()),
            Id::Unsigned(id) => id.fmt(f),
            Id::Signed(id) => id.fmt(f),
        }
    }
}
