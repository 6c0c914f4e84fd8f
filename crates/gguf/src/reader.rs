//! A checked little-endian cursor over the beginning of a file.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use crate::error::{Error, Limit, Place};

/// Reads forward through `bytes`, which may be only the beginning of a file of `file_len` bytes.
///
/// Reading past the end of the file is [`Error::Truncated`]; reading past the given bytes, but within the file, is
/// [`Error::NeedMore`].
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    file_len: u64,
    pos: usize,
    /// What is being read, for error messages.
    pub place: Place<'a>,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], file_len: u64, place: Place<'a>) -> Self {
        // Bytes beyond the declared end of the file are not part of it.
        let len = usize::try_from(file_len).unwrap_or(usize::MAX).min(bytes.len());
        Cursor { bytes: bytes.get(..len).unwrap_or(bytes), file_len, pos: 0, place }
    }

    /// The bytes from here on that were given.
    pub fn given(&self) -> &'a [u8] {
        self.bytes.get(self.pos..).unwrap_or_default()
    }

    /// Offset of the next byte, in bytes from the file's start.
    pub fn pos(&self) -> u64 {
        self.pos as u64
    }

    /// Bytes left in the file from here on, including those that were not given.
    pub fn remaining(&self) -> u64 {
        self.file_len.saturating_sub(self.pos())
    }

    /// How many items of at least `item_bytes` to reserve room for if the file declares `declared` of them: no more
    /// than the given bytes can hold.
    pub fn reserve(&self, declared: u64, item_bytes: usize) -> usize {
        let at_hand =
            self.bytes.len().saturating_sub(self.pos).checked_div(item_bytes).unwrap_or(0);
        usize::try_from(declared).unwrap_or(usize::MAX).min(at_hand)
    }

    pub fn take(&mut self, n: u64) -> Result<&'a [u8], Error> {
        if n > self.remaining() {
            return Err(Error::Truncated { at: self.pos(), place: self.place.to_string() });
        }
        let end = usize::try_from(n).ok().and_then(|n| self.pos.checked_add(n));
        match end.and_then(|end| Some((end, self.bytes.get(self.pos..end)?))) {
            Some((end, taken)) => {
                self.pos = end;
                Ok(taken)
            }
            None => Err(Error::NeedMore { needed: self.pos().saturating_add(n) }),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A 64-bit count of things that take at least `item_bytes` each; refused if they cannot fit in the file.
    pub fn count(&mut self, item_bytes: u64) -> Result<u64, Error> {
        let found = self.u64()?;
        let limit = self.remaining().checked_div(item_bytes).unwrap_or(0);
        if found > limit {
            return Err(Error::too_large(self.place, found, Limit::File(limit)));
        }
        Ok(found)
    }

    /// The bytes of a string, which the file stores as a 64-bit length and that many bytes.
    pub fn string(&mut self) -> Result<&'a [u8], Error> {
        let len = self.count(1)?;
        self.take(len)
    }
}
