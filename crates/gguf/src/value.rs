//! Metadata values as the file stores them.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use std::fmt;

use crate::error::{Error, Limit, printable};
use crate::reader::Cursor;

/// Deepest accepted nesting of arrays. Arrays of arrays are legal but unused; without a limit a file could choose the
/// depth of our stack.
const MAX_ARRAY_DEPTH: u32 = 4;

/// A metadata value, borrowed from the file.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// The type of a value or of an array's elements, numbered as in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u32)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Str = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

/// An array of values: the bytes of its elements, which were walked and found complete while parsing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Array<'a> {
    element: ValueType,
    len: usize,
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    pub(crate) fn parse(
        cursor: &mut Cursor<'a>,
        kind: ValueType,
        key: &str,
    ) -> Result<Self, Error> {
        Ok(match kind {
            ValueType::U8 => Value::U8(cursor.u8()?),
            ValueType::I8 => Value::I8(cursor.u8()?.cast_signed()),
            ValueType::U16 => Value::U16(cursor.u16()?),
            ValueType::I16 => Value::I16(cursor.u16()?.cast_signed()),
            ValueType::U32 => Value::U32(cursor.u32()?),
            ValueType::I32 => Value::I32(cursor.u32()?.cast_signed()),
            ValueType::U64 => Value::U64(cursor.u64()?),
            ValueType::I64 => Value::I64(cursor.u64()?.cast_signed()),
            ValueType::F32 => Value::F32(f32::from_bits(cursor.u32()?)),
            ValueType::F64 => Value::F64(f64::from_bits(cursor.u64()?)),
            ValueType::Bool => match cursor.u8()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                found => {
                    return Err(Error::key(printable(key), format!("bool {found}"), "0 or 1"));
                }
            },
            ValueType::Str => match std::str::from_utf8(cursor.string()?) {
                Ok(s) => Value::Str(s),
                Err(_) => {
                    return Err(Error::key(printable(key), "a string that is not UTF-8", "UTF-8"));
                }
            },
            ValueType::Array => Value::Array(Array::parse(cursor, key, 1)?),
        })
    }

    /// The value's type.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::U8(_) => ValueType::U8,
            Value::I8(_) => ValueType::I8,
            Value::U16(_) => ValueType::U16,
            Value::I16(_) => ValueType::I16,
            Value::U32(_) => ValueType::U32,
            Value::I32(_) => ValueType::I32,
            Value::F32(_) => ValueType::F32,
            Value::Bool(_) => ValueType::Bool,
            Value::Str(_) => ValueType::Str,
            Value::Array(_) => ValueType::Array,
            Value::U64(_) => ValueType::U64,
            Value::I64(_) => ValueType::I64,
            Value::F64(_) => ValueType::F64,
        }
    }

    /// The value, if it is an integer of any width.
    pub fn integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(x) => x.into(),
            Value::I8(x) => x.into(),
            Value::U16(x) => x.into(),
            Value::I16(x) => x.into(),
            Value::U32(x) => x.into(),
            Value::I32(x) => x.into(),
            Value::U64(x) => x.into(),
            Value::I64(x) => x.into(),
            _ => return None,
        })
    }
}

impl<'a> Array<'a> {
    fn parse(cursor: &mut Cursor<'a>, key: &str, depth: u32) -> Result<Self, Error> {
        if depth > MAX_ARRAY_DEPTH {
            let found = format!("arrays nested more than {MAX_ARRAY_DEPTH} deep");
            return Err(Error::key(printable(key), found, "fewer levels"));
        }
        let element = ValueType::from_id(cursor.u32()?, key)?;
        let count = cursor.count(element.min_bytes())?;
        // The elements are walked on a copy of the cursor, then taken as one slice.
        let mut walk = cursor.clone();
        match element.fixed_bytes() {
            // Cannot overflow: `count` of them fit in the rest of the file.
            Some(bytes) => drop(walk.take(count.saturating_mul(bytes))?),
            None if element == ValueType::Str => {
                (0..count).try_for_each(|_| walk.string().map(drop))?
            }
            None => (0..count).try_for_each(|_| {
                Array::parse(&mut walk, key, depth.saturating_add(1)).map(drop)
            })?,
        }
        let raw = cursor.take(walk.pos().saturating_sub(cursor.pos()))?;
        let len = usize::try_from(count)
            .map_err(|_| Error::too_large(cursor.place, count, Limit::Fixed(usize::MAX as u64)))?;
        if element == ValueType::Bool && raw.iter().any(|&b| b > 1) {
            return Err(Error::key(printable(key), "a bool other than 0 and 1", "0 or 1"));
        }
        Ok(Array { element, len, raw })
    }

    /// Type of the elements.
    pub fn element_type(&self) -> ValueType {
        self.element
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements' bytes as the file stores them; those of strings and inner arrays include their lengths.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The elements of an array of strings, as bytes: the format requires UTF-8, but not all vocabularies comply. Empty
    /// for an array of another type; [`crate::Metadata::array_of`] checks the type.
    pub fn strings(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let raw = if self.element == ValueType::Str { self.raw } else { &[] };
        Strings { raw }
    }

    /// The elements of an array of 32-bit floats; empty for an array of another type.
    pub fn f32s(&self) -> impl Iterator<Item = f32> + Clone + use<'a> {
        self.words(ValueType::F32).map(f32::from_le_bytes)
    }

    /// The elements of an array of signed 32-bit integers; empty for an array of another type.
    pub fn i32s(&self) -> impl Iterator<Item = i32> + Clone + use<'a> {
        self.words(ValueType::I32).map(i32::from_le_bytes)
    }

    /// The elements of an array of unsigned 32-bit integers; empty for an array of another type.
    pub fn u32s(&self) -> impl Iterator<Item = u32> + Clone + use<'a> {
        self.words(ValueType::U32).map(u32::from_le_bytes)
    }

    fn words(&self, element: ValueType) -> impl Iterator<Item = [u8; 4]> + Clone + use<'a> {
        let raw = if self.element == element { self.raw } else { &[] };
        raw.as_chunks::<4>().0.iter().copied()
    }
}

/// Iterates over the strings of an array. They were walked while parsing, so running out of bytes means the end of the
/// array.
#[derive(Debug, Clone)]
struct Strings<'a> {
    raw: &'a [u8],
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.raw.split_first_chunk::<8>()?;
        let (string, rest) =
            rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        self.raw = rest;
        Some(string)
    }
}

impl ValueType {
    const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::Str,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    pub(crate) fn from_id(id: u32, key: &str) -> Result<Self, Error> {
        let known = usize::try_from(id).ok().and_then(|id| Self::ALL.get(id));
        known.copied().ok_or_else(|| {
            Error::key(printable(key), format!("value type {id}"), "a type from 0 to 12")
        })
    }

    /// Size of a value in bytes, if all values of the type have the same size.
    fn fixed_bytes(self) -> Option<u64> {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => Some(1),
            ValueType::U16 | ValueType::I16 => Some(2),
            ValueType::U32 | ValueType::I32 | ValueType::F32 => Some(4),
            ValueType::U64 | ValueType::I64 | ValueType::F64 => Some(8),
            ValueType::Str | ValueType::Array => None,
        }
    }

    /// Size of the shortest value in bytes: a string has at least a length, an array a type and a length.
    fn min_bytes(self) -> u64 {
        self.fixed_bytes().unwrap_or(if self == ValueType::Array { 12 } else { 8 })
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::U8 => "u8",
            ValueType::I8 => "i8",
            ValueType::U16 => "u16",
            ValueType::I16 => "i16",
            ValueType::U32 => "u32",
            ValueType::I32 => "i32",
            ValueType::F32 => "f32",
            ValueType::Bool => "bool",
            ValueType::Str => "string",
            ValueType::Array => "array",
            ValueType::U64 => "u64",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
        })
    }
}

/// Type and value on one line: `u32 24`, `string "gemma"`, `array of 262144 f32`.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.value_type();
        match self {
            Value::Str(s) => write!(f, "{kind} \"{}\"", printable(s)),
            Value::Array(array) => write!(f, "{kind} of {} {}", array.len, array.element),
            Value::Bool(b) => write!(f, "{kind} {b}"),
            Value::F32(x) => write!(f, "{kind} {x:?}"),
            Value::F64(x) => write!(f, "{kind} {x:?}"),
            _ => write!(f, "{kind} {}", self.integer().unwrap_or_default()),
        }
    }
}
