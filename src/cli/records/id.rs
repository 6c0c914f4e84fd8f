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

/// What a record has for an id.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    None,
    Id(Id),
    /// Something that is neither a string nor an integer.
    Other(String),
}

impl Id {
    /// The integer that a number is, even if it is written with a point.
    pub fn of_number(number: &serde_json::Number) -> Option<Id> {
        let unsigned = number.as_u64().map(Id::Unsigned);
        let signed = || number.as_i64().map(Id::Signed);
        unsigned.or_else(signed).or_else(|| Id::of_float(number.as_f64()?))
    }

    /// The integer that a float is, if it is one and no other is the same float.
    pub fn of_float(number: f64) -> Option<Id> {
        const EXACT: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        let is_exact = number.trunc() == number && number.abs() < EXACT;
        is_exact.then_some(number as i64).map(Id::of_signed)
    }

    /// A string as it is, or the digits of an integer.
    pub fn plain(&self) -> String {
        match self {
            Id::String(id) => id.clone(),
            id => id.to_string(),
        }
    }

    pub fn of_signed(id: i64) -> Id {
        u64::try_from(id).map_or(Id::Signed(id), Id::Unsigned)
    }
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
