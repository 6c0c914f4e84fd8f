//! What kind of value a text is, in JSON or in a table of text, and which column holds values of several kinds without
//! changing any.

/// A value, as far as its column's type depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Null,
    Bool,
    Integer(i128),
    /// A number that a float64 holds with all its digits.
    Float,
    Text,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// 64 bits with a sign.
    Int,
    /// 64 bits without one.
    Uint,
    Float,
    /// Strings, and anything else as its text.
    String,
}

/// The values of a column, as far as its type depends on them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    bools: bool,
    /// The least and the greatest.
    integers: Option<(i128, i128)>,
    floats: bool,
    texts: bool,
}

/// Integers up to this one are exact in a float64.
const EXACT: i128 = 1 << f64::MANTISSA_DIGITS;

/// Decimal digits that a float64 always tells apart; writers of floats write no more.
const DIGITS: usize = 17;

impl Scalar {
    /// What a value of JSON is.
    pub fn of_json(raw: &str) -> Scalar {
        match raw {
            "null" => Scalar::Null,
            "true" | "false" => Scalar::Bool,
            "NaN" | "Infinity" | "-Infinity" => Scalar::Float,
            _ if raw.starts_with(['"', '[', '{']) => Scalar::Text,
            _ => Scalar::of_number(raw),
        }
    }

    /// What a field of a table of text is. Only what is written as a number is one: the zeros of 007 would be lost.
    pub fn of_field(text: &str) -> Scalar {
        match text {
            "" => Scalar::Null,
            "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => Scalar::Bool,
            "-0" => Scalar::Text,
            _ if text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
                && !text.ends_with(char::is_whitespace) =>
            {
                Scalar::of_number(text)
            }
            _ => Scalar::Text,
        }
    }

    /// What a number is. One that would lose digits is a text.
    fn of_number(text: &str) -> Scalar {
        if !text.contains(['.', 'e', 'E']) {
            return match text.parse() {
                // A float has a zero of each sign.
                Ok(0) if text.starts_with('-') => Scalar::Float,
                Ok(integer) => Scalar::Integer(integer),
                Err(_) => Scalar::Text,
            };
        }
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches('0').trim_end_matches('0');
        match text.parse::<f64>() {
            Ok(number)
                if number.is_finite()
                    && digits.len() <= DIGITS
                    && (number != 0.0 || digits.is_empty()) =>
            {
                Scalar::Float
            }
            _ => Scalar::Text,
        }
    }
}

impl Seen {
    pub fn add(&mut self, value: Scalar) {
        match value {
            Scalar::Null => {}
            Scalar::Bool => self.bools = true,
            Scalar::Integer(value) => {
                let (least, greatest) = self.integers.unwrap_or((value, value));
                self.integers = Some((least.min(value), greatest.max(value)));
            }
            Scalar::Float => self.floats = true,
            Scalar::Text => self.texts = true,
        }
    }

    /// The type that holds all of them.
    pub fn kind(&self) -> Kind {
        match (self.bools, self.integers, self.floats, self.texts) {
            (true, None, false, false) => Kind::Bool,
            (false, Some((least, greatest)), false, false) => {
                if least >= i64::MIN.into() && greatest <= i64::MAX.into() {
                    Kind::Int
                } else if least >= 0 && greatest <= u64::MAX.into() {
                    Kind::Uint
                } else {
                    Kind::String
                }
            }
            (false, None, true, false) => Kind::Float,
            (false, Some((least, greatest)), true, false)
                if least >= -EXACT && greatest <= EXACT =>
            {
                Kind::Float
            }
            _ => Kind::String,
        }
    }
}

impl Kind {
    /// Whether a column of this type holds a value as it is.
    pub fn holds(self, value: Scalar) -> bool {
        match (self, value) {
            (Kind::String, _) | (_, Scalar::Null) | (Kind::Bool, Scalar::Bool) => true,
            (Kind::Float, Scalar::Float) => true,
            (Kind::Int, Scalar::Integer(value)) => i64::try_from(value).is_ok(),
            (Kind::Uint, Scalar::Integer(value)) => u64::try_from(value).is_ok(),
            (Kind::Float, Scalar::Integer(value)) => value.abs() <= EXACT,
            _ => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "a boolean",
            Kind::Int => "a 64-bit integer",
            Kind::Uint => "a 64-bit integer without a sign",
            Kind::Float => "a number",
            Kind::String => "a string",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_kinds() {
        let integer = Scalar::Integer;
        for (raw, json, field) in [
            ("1", integer(1), integer(1)),
            ("-5", integer(-5), integer(-5)),
            ("18446744073709551615", integer(u64::MAX.into()), integer(u64::MAX.into())),
            ("0.10000000000000001", Scalar::Float, Scalar::Float),
            ("1e5", Scalar::Float, Scalar::Float),
            ("9.90", Scalar::Float, Scalar::Float),
            ("3.14159265358979323846", Scalar::Text, Scalar::Text),
            ("1e999", Scalar::Text, Scalar::Text),
            ("1e-999", Scalar::Text, Scalar::Text),
            ("0e999", Scalar::Float, Scalar::Float),
            ("-0", Scalar::Float, Scalar::Text),
            ("NaN", Scalar::Float, Scalar::Text),
            ("true", Scalar::Bool, Scalar::Bool),
            ("null", Scalar::Null, Scalar::Text),
            ("\"1\"", Scalar::Text, Scalar::Text),
            ("{}", Scalar::Text, Scalar::Text),
        ] {
            assert_eq!(Scalar::of_json(raw), json, "{raw}");
            assert_eq!(Scalar::of_field(raw), field, "{raw}");
        }
        for text in
            ["007", "+1", "1.", ".5", "1,5", "1 ", " 1", "1_000", "0x1", "inf", "2020-01-01"]
        {
            assert_eq!(Scalar::of_field(text), Scalar::Text, "{text}");
        }
        assert_eq!(Scalar::of_field(""), Scalar::Null);
    }

    #[test]
    fn columns_hold_their_values() {
        for (values, kind) in [
            (&["1", "2"][..], Kind::Int),
            (&["1", "0.5", "null"], Kind::Float),
            (&["5", "18446744073709551615"], Kind::Uint),
            (&["-5", "18446744073709551615"], Kind::String),
            (&["9007199254740993", "0.5"], Kind::String),
            (&["9007199254740992", "0.5"], Kind::Float),
            (&["9007199254740993", "1"], Kind::Int),
            (&["99999999999999999999"], Kind::String),
            (&["true", "null"], Kind::Bool),
            (&["true", "1"], Kind::String),
            (&["null"], Kind::String),
            (&[], Kind::String),
        ] {
            let mut seen = Seen::default();
            values.iter().for_each(|raw| seen.add(Scalar::of_json(raw)));
            assert_eq!(seen.kind(), kind, "{values:?}");
            assert!(values.iter().all(|raw| kind.holds(Scalar::of_json(raw))), "{values:?}");
        }
        assert!(!Kind::Int.holds(Scalar::Float) && !Kind::Uint.holds(Scalar::Integer(-1)));
        assert!(!Kind::Float.holds(Scalar::Integer(9007199254740993)));
    }
}
