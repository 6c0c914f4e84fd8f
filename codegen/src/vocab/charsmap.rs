//! SentencePiece's precompiled map of characters: replacements for sequences of bytes, which lie in a double array.
//!
//! ```text
//! u32      S, the size of the array in bytes
//! S bytes  the array (Darts-clone, Yata 2007), little-endian u32 units
//! rest     the replacements in UTF-8, each ended by a zero
//! ```
//! A unit holds a label (bits 0 to 7 and 31), whether a key ends there (bit 8), and the offset to its children (from bit
//! 10 on, in units of 1 or, with bit 9, of 256). The unit of an end holds the position of the replacement.

use monomorph_gguf::{CHARSMAP, Error, Metadata, Value, ValueType};

/// The keys of a map, in ascending order, with what replaces them.
pub(super) type Replacements = Vec<(String, String)>;

/// The map of a file; empty if it has none.
pub(super) fn bytes<'a>(metadata: &Metadata<'a>) -> Result<&'a [u8], Error> {
    match metadata.get(CHARSMAP) {
        None => Ok(&[]),
        // The format's bytes are signed in some files.
        Some(Value::Array(map)) if matches!(map.element_type(), ValueType::U8 | ValueType::I8) => {
            Ok(map.raw())
        }
        Some(other) => Err(Error::key(CHARSMAP, other, "an array of bytes")),
    }
}

/// All keys of at most `most` bytes that are UTF-8. No other can match a text.
pub(super) fn read(map: &[u8], most: usize) -> Result<Replacements, Error> {
    if map.is_empty() {
        return Ok(Vec::new());
    }
    let refuse = |found: &str| Error::key(CHARSMAP, found, "a map that SentencePiece wrote");
    let (size, rest) = map.split_first_chunk().ok_or_else(|| refuse("fewer than 4 bytes"))?;
    let size = u32::from_le_bytes(*size) as usize;
    let (array, values) = rest
        .split_at_checked(size)
        .filter(|_| size > 0 && size.is_multiple_of(4))
        .ok_or_else(|| refuse("another size than it states"))?;
    let units: Vec<Unit> =
        array.as_chunks().0.iter().map(|&unit| Unit(u32::from_le_bytes(unit))).collect();
    let mut found = Vec::new();
    // Where the children of a key are counted from, and the key. No key is longer than `most`, so damaged arrays end
    // this too; a map with more keys than units is damaged.
    let mut open = vec![(units[0].offset(), Vec::new())];
    let mut steps = 0;
    while let Some((parent, key)) = open.pop() {
        for byte in (1..=u8::MAX).rev() {
            let place = parent ^ usize::from(byte);
            let Some(unit) = units.get(place).filter(|unit| unit.label() == u32::from(byte)) else {
                continue;
            };
            steps += 1;
            if steps > units.len() {
                return Err(refuse("a damaged array"));
            }
            let key = [&key[..], &[byte]].concat();
            let children = place ^ unit.offset();
            if unit.is_end() {
                let leaf = units.get(children).ok_or_else(|| refuse("a damaged array"))?;
                let value =
                    value(values, leaf.value()).ok_or_else(|| refuse("a damaged replacement"))?;
                if let Ok(key) = String::from_utf8(key.clone()) {
                    found.push((key, value.to_owned()));
                }
            }
            if key.len() < most {
                open.push((children, key));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The replacement at this position.
fn value(values: &[u8], start: usize) -> Option<&str> {
    let value = values.get(start..)?;
    let end = value.iter().position(|&byte| byte == 0)?;
    std::str::from_utf8(&value[..end]).ok()
}

#[derive(Clone, Copy)]
struct Unit(u32);

impl Unit {
    fn label(self) -> u32 {
        self.0 & 0x8000_00ff
    }

    fn is_end(self) -> bool {
        self.0 & 0x100 != 0
    }

    fn offset(self) -> usize {
        ((self.0 >> 10) << ((self.0 & 0x200) >> 6)) as usize
    }

    fn value(self) -> usize {
        (self.0 & 0x7fff_ffff) as usize
    }
}
