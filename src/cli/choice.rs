//! Values by name: the library's options, and those of an enum that a command takes.

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use monomorph::Choice;

/// Reads a value by its name; help lists all of them.
pub fn choice<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let value = |value: &T| PossibleValue::new(value.name()).help(value.help());
    PossibleValuesParser::new(T::ALL.iter().map(value)).try_map(|name| name.parse::<T>())
}

/// Reads those values of an enum that a command takes.
pub fn some_of<T: ValueEnum + Clone + Send + Sync + 'static>(
    takes: impl Fn(&T) -> bool,
) -> impl TypedValueParser<Value = T> {
    let values = T::value_variants().iter().filter(|value| takes(value));
    PossibleValuesParser::new(values.filter_map(T::to_possible_value))
        .try_map(|name| T::from_str(&name, false))
}
