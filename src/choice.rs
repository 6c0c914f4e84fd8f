//! Options with a few named values, for command lines, requests and configuration files.

use std::fmt;

/// An option with a few named values. The name is what [`Display`](fmt::Display) writes and
/// [`FromStr`](std::str::FromStr) reads.
///
/// ```
/// use monomorph::{Choice, Truncate};
///
/// assert_eq!("start".parse(), Ok(Truncate::Start));
/// assert_eq!(Truncate::End.to_string(), "end");
/// let error = "middle".parse::<Truncate>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown truncation \"middle\"; known: end, start, none");
/// assert_eq!(Truncate::ALL.len(), 3);
/// ```
pub trait Choice: Copy + fmt::Display + std::str::FromStr<Err = UnknownValue> + 'static {
    /// Every value once, the default first.
    const ALL: &'static [Self];

    /// The noun for the option, for messages.
    const WHAT: &'static str;

    /// The value's name.
    fn name(self) -> &'static str;

    /// One line on what it means.
    fn help(self) -> &'static str;
}

/// A name that no value of a [`Choice`] has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    /// The option: [`Choice::WHAT`].
    pub what: &'static str,
    /// The given name.
    pub given: String,
    /// The names of all values.
    pub known: Vec<&'static str>,
}

impl UnknownValue {
    pub(crate) fn new<T: Choice>(given: &str) -> UnknownValue {
        let known = T::ALL.iter().map(|value| value.name()).collect();
        UnknownValue { what: T::WHAT, given: given.to_owned(), known }
    }
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}; known: {}", self.what, self.given, self.known.join(", "))
    }
}

impl std::error::Error for UnknownValue {}

/// Makes an enum a [`Choice`].
macro_rules! choice {
    ($type:ident, $what:literal, $($value:ident $name:literal $help:literal)+) => {
        impl $crate::choice::Choice for $type {
            const ALL: &'static [$type] = &[$($type::$value),+];
            const WHAT: &'static str = $what;

            fn name(self) -> &'static str {
                match self {
                    $($type::$value => $name,)+
                }
            }

            fn help(self) -> &'static str {
                match self {
                    $($type::$value => $help,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            /// The name.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::choice::Choice::name(*self))
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::choice::UnknownValue;

            fn from_str(name: &str) -> Result<$type, $crate::choice::UnknownValue> {
                match name {
                    $($name => Ok($type::$value),)+
                    _ => Err($crate::choice::UnknownValue::new::<$type>(name)),
                }
            }
        }
    };
}
pub(crate) use choice;

#[cfg(test)]
mod tests {
    use super::Choice;
    use crate::{BitOrder, Kernels, Precision, Truncate, Unicode};

    fn names_find_their_values<T: Choice + Default + PartialEq + std::fmt::Debug>() {
        assert_eq!(T::ALL[0], T::default());
        for (i, value) in T::ALL.iter().enumerate() {
            assert_eq!(value.name().parse::<T>().as_ref(), Ok(value));
            assert!(T::ALL[..i].iter().all(|other| other.name() != value.name()));
            assert!(!value.help().is_empty() && !value.help().ends_with('.'));
        }
        let error = "other".parse::<T>().unwrap_err().to_string();
        assert!(T::ALL.iter().all(|value| error.contains(value.name())), "{error}");
    }

    #[test]
    fn every_choice_has_its_names() {
        names_find_their_values::<Truncate>();
        names_find_their_values::<Kernels>();
        names_find_their_values::<Unicode>();
        names_find_their_values::<Precision>();
        names_find_their_values::<BitOrder>();
    }
}
