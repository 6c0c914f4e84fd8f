//! The fingerprint that ties a binary to the file it was built for.

use monomorph_gguf::{CHARSMAP, Error, Header, MASK, MERGES, Value, Vocabulary};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Lengths and hashes (XXH3) of a model file, from the cheapest to compare to the most expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Length of the file in bytes.
    pub file_len: u64,
    /// Length of its header in bytes.
    pub header_len: u64,
    /// Hash of the header's bytes: metadata, vocabulary and tensor table.
    pub header: u64,
    /// Hash of the vocabulary alone: pieces, scores and kinds, and where it has them the merges, the map of characters
    /// and the mask's id.
    pub vocabulary: u64,
    /// Hash of the whole file, 128 bits.
    pub content: u128,
}

impl Fingerprint {
    /// The fingerprint of a file whose header was parsed from `bytes` and whose content has the given hash.
    pub fn new(header: &Header<'_>, bytes: &[u8], content: u128) -> Result<Fingerprint, Error> {
        Ok(Fingerprint {
            file_len: header.file_len,
            header_len: header.header_len,
            header: header_hash(bytes, header.header_len),
            vocabulary: vocabulary_hash(header)?,
            content,
        })
    }

    /// Whether a file equals the build's, byte for byte, up to the tensor data.
    pub fn has_header(&self, bytes: &[u8], file_len: u64) -> bool {
        self.file_len == file_len
            && bytes.len() as u64 >= self.header_len
            && self.header == header_hash(bytes, self.header_len)
    }
}

/// Hash of the first `len` bytes.
fn header_hash(bytes: &[u8], len: u64) -> u64 {
    xxh3_64(bytes.get(..len as usize).unwrap_or(bytes))
}

/// Hash of a header's vocabulary: all that its tables are made of.
pub fn vocabulary_hash(header: &Header<'_>) -> Result<u64, Error> {
    let mut hash = Xxh3::new();
    for piece in Vocabulary::from_header(header)?.iter() {
        hash.update(&(piece.bytes.len() as u64).to_le_bytes());
        hash.update(piece.bytes);
        hash.update(&piece.score.to_le_bytes());
        hash.update(&[piece.kind as u8]);
    }
    for key in [MERGES, CHARSMAP, MASK] {
        match header.metadata.get(key) {
            // A list's bytes include the lengths of its strings.
            Some(Value::Array(list)) => hash.update(list.raw()),
            Some(other) => hash.update(other.to_string().as_bytes()),
            None => {}
        }
    }
    Ok(hash.digest())
}
