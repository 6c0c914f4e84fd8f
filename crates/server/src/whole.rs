//! Whole numbers of JSON.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// A whole number, also one that is written as `3.0`: some languages have one kind of numbers, as JSON has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub i64);

/// Beyond this, not every whole number is a float64.
const MOST: f64 = (1_u64 << 53) as f64;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        deserializer.deserialize_any(WholeVisitor)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = Whole;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Whole, E> {
        Ok(Whole(n))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Whole, E> {
        i64::try_from(n).map(Whole).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Whole, E> {
        match n.fract() == 0.0 && n.abs() <= MOST {
            true => Ok(Whole(n as i64)),
            false => Err(E::custom("the number is not whole, or too large")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_point() {
        let parse = |json: &str| serde_json::from_str::<Whole>(json).ok().map(|n| n.0);
        for (json, n) in [("3", 3), ("3.0", 3), ("-1.0", -1), ("3e2", 300), ("-0.0", 0)] {
            assert_eq!(parse(json), Some(n), "{json}");
        }
        assert_eq!(parse("9223372036854775807"), Some(i64::MAX));
        for json in ["1.5", "1e300", "9223372036854775808", "\"3\"", "true", "null", "[3]"] {
            assert_eq!(parse(json), None, "{json}");
        }
    }
}
