//! The library's options as the command line's.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use monomorph::Choice;

/// Reads a value by its name; help lists all of them.
pub fn choice<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let value = |value: &T| PossibleValue::new(value.name()).help(value.help());
    PossibleValuesParser::new(T::ALL.iter().map(value)).try_map(|name| name.parse::<T>())
}
