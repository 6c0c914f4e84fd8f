//! Hyper-parameters: the keys that begin with the architecture's name.

use std::fmt::Display;

use monomorph_gguf::{Error, FromValue, Metadata, Value, ValueType};

/// Every width is a multiple of the kernels' step along a row (`BLOCK` in `monomorph_quant`), and so of a panel's
/// columns. That a row also consists of whole blocks of its format, which may be longer, is checked with the header.
pub const WIDTH_MULTIPLE: usize = 32;

/// The largest width that a file may ask for, far above any embedding model's.
pub(crate) const MAX_WIDTH: usize = 1 << 20;

/// Access to the keys that begin with the architecture's name.
pub(crate) struct Keys<'m, 'a> {
    pub metadata: &'m Metadata<'a>,
    pub architecture: &'m str,
}

impl<'a> Keys<'_, 'a> {
    pub fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    pub fn has(&self, key: &str) -> bool {
        self.metadata.get(&self.name(key)).is_some()
    }

    pub fn error(&self, key: &str, found: impl Display, expected: impl Display) -> Error {
        Error::key(self.name(key), found, expected)
    }

    pub fn required<T: FromValue<'a>>(&self, key: &str) -> Result<T, Error> {
        self.metadata.required(&self.name(key))
    }

    pub fn optional<T: FromValue<'a>>(&self, key: &str) -> Result<Option<T>, Error> {
        self.metadata.optional(&self.name(key))
    }

    /// A size from 1 to `limit`.
    pub fn size(&self, key: &str, limit: usize) -> Result<usize, Error> {
        match self.required::<usize>(key)? {
            found if (1..=limit).contains(&found) => Ok(found),
            found => Err(self.error(key, found, format!("1 to {limit}"))),
        }
    }

    /// `n` sizes from 1 to `limit`; a single one stands for all.
    pub fn sizes(&self, key: &str, limit: usize, n: usize) -> Result<Vec<usize>, Error> {
        let Some(Value::Array(array)) = self.metadata.get(&self.name(key)) else {
            return Ok(vec![self.size(key, limit)?; n]);
        };
        let sizes: Vec<usize> = match array.element_type() {
            _ if array.len() != n => Vec::new(),
            ValueType::I32 => array.i32s().map(|n| usize::try_from(n).unwrap_or(0)).collect(),
            ValueType::U32 => array.u32s().map(|n| n as usize).collect(),
            _ => Vec::new(),
        };
        if sizes.len() != n || sizes.iter().any(|size| !(1..=limit).contains(size)) {
            let expected = format!("{n} integers from 1 to {limit}");
            return Err(self.error(key, Value::Array(*array), expected));
        }
        Ok(sizes)
    }

    /// A size that is a whole number of the kernels' steps.
    pub fn width(&self, key: &str) -> Result<usize, Error> {
        match self.size(key, MAX_WIDTH)? {
            found if self.is_width(found) => Ok(found),
            found => Err(self.error(key, found, format!("a multiple of {WIDTH_MULTIPLE}"))),
        }
    }

    /// Whether a size is a whole number of the kernels' steps.
    pub fn is_width(&self, size: usize) -> bool {
        (1..=MAX_WIDTH).contains(&size) && size.is_multiple_of(WIDTH_MULTIPLE)
    }

    pub fn positive(&self, key: &str) -> Result<f32, Error> {
        self.check_positive(key, self.required(key)?)
    }

    pub fn positive_or(&self, key: &str, default: f32) -> Result<f32, Error> {
        self.check_positive(key, self.optional(key)?.unwrap_or(default))
    }

    fn check_positive(&self, key: &str, found: f32) -> Result<f32, Error> {
        let usable = found.is_finite() && found > 0.0;
        if usable { Ok(found) } else { Err(self.error(key, found, "a finite number above 0")) }
    }
}
