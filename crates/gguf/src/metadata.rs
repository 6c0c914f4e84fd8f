//! Metadata: keys, and typed access to their values.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::collections::HashSet;

use crate::error::{Error, Limit, Place, printable};
use crate::reader::Cursor;
use crate::value::{Array, Value, ValueType};

/// Bytes of the smallest metadata entry: a one-byte key, a type and a one-byte value.
pub(crate) const MIN_ENTRY_BYTES: u64 = 8 + 1 + 4 + 1;

/// The format's own limit on the length of a key.
const MAX_KEY_BYTES: u64 = 65_535;

/// The metadata of a file, in file order.
#[derive(Debug, Clone, Default)]
pub struct Metadata<'a> {
    entries: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Metadata<'a> {
    pub(crate) fn parse(cursor: &mut Cursor<'a>, n_kv: u64) -> Result<Self, Error> {
        let room = cursor.reserve(n_kv, MIN_ENTRY_BYTES as usize);
        let mut entries = Vec::with_capacity(room);
        let mut seen = HashSet::with_capacity(room);
        for number in 0..n_kv {
            let key = parse_key(cursor, number)?;
            if !seen.insert(key) {
                return Err(Error::key(printable(key), "the key twice", "once"));
            }
            cursor.place = Place::Key(key);
            let type_id = cursor.u32()?;
            let kind = ValueType::from_id(type_id, key)?;
            entries.push((key, Value::parse(cursor, kind, key)?));
        }
        Ok(Metadata { entries })
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.entries.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// Keys and values in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, &Value<'a>)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key` as a `T`, or `None` if the key is missing. A value of another type is an error.
    pub fn optional<T: FromValue<'a>>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match T::from_value(value) {
            Some(found) => Ok(Some(found)),
            None => Err(Error::key(key, value, T::EXPECTED)),
        }
    }

    /// The value of `key` as a `T`; a missing key is an error.
    pub fn required<T: FromValue<'a>>(&self, key: &str) -> Result<T, Error> {
        self.optional(key)?.ok_or_else(|| Error::MissingKey { key: key.to_owned() })
    }

    /// A required string.
    pub fn str(&self, key: &str) -> Result<&'a str, Error> {
        self.required(key)
    }

    /// A required array of any element type.
    pub fn array(&self, key: &str) -> Result<Array<'a>, Error> {
        self.required(key)
    }

    /// A required array whose elements are of type `element`.
    pub fn array_of(&self, key: &str, element: ValueType) -> Result<Array<'a>, Error> {
        let array = self.array(key)?;
        if array.element_type() != element {
            return Err(Error::key(key, Value::Array(array), format!("an array of {element}")));
        }
        Ok(array)
    }
}

/// A Rust type that some metadata values can be read as.
pub trait FromValue<'a>: Sized {
    /// What is accepted, for error messages.
    const EXPECTED: &'static str;
    /// The value as this type, or `None` if it is of another type or out of range.
    fn from_value(value: &Value<'a>) -> Option<Self>;
}

macro_rules! from_integer {
    ($($t:ty => $expected:literal),*) => {$(
        impl<'a> FromValue<'a> for $t {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: &Value<'a>) -> Option<Self> {
                <$t>::try_from(value.integer()?).ok()
            }
        }
    )*};
}

from_integer!(
    u32 => "a non-negative integer below 2^32",
    u64 => "a non-negative integer",
    usize => "a non-negative integer of this machine's size"
);

impl<'a> FromValue<'a> for f32 {
    const EXPECTED: &'static str = "a floating-point number";
    fn from_value(value: &Value<'a>) -> Option<Self> {
        match *value {
            Value::F32(x) => Some(x),
            Value::F64(x) => Some(x as f32),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for bool {
    const EXPECTED: &'static str = "a bool";
    fn from_value(value: &Value<'a>) -> Option<Self> {
        if let Value::Bool(b) = *value { Some(b) } else { None }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const EXPECTED: &'static str = "a string";
    fn from_value(value: &Value<'a>) -> Option<Self> {
        if let Value::Str(s) = *value { Some(s) } else { None }
    }
}

impl<'a> FromValue<'a> for Array<'a> {
    const EXPECTED: &'static str = "an array";
    fn from_value(value: &Value<'a>) -> Option<Self> {
        if let Value::Array(a) = *value { Some(a) } else { None }
    }
}

fn parse_key<'a>(cursor: &mut Cursor<'a>, number: u64) -> Result<&'a str, Error> {
    cursor.place = Place::KeyName(number);
    let len = cursor.count(1)?;
    if len > MAX_KEY_BYTES {
        return Err(Error::too_large(cursor.place, len, Limit::Fixed(MAX_KEY_BYTES)));
    }
    let bytes = cursor.take(len)?;
    let key = std::str::from_utf8(bytes)
        .map_err(|_| Error::key(format!("number {number}"), "a name that is not UTF-8", "UTF-8"))?;
    if key.is_empty() {
        return Err(Error::key(format!("number {number}"), "an empty name", "at least 1 byte"));
    }
    Ok(key)
}
