//! Token ids back to text, as the decoder of the model's original tokenizer does it (Hugging Face `tokenizers`:
//! `Replace`, `ByteFallback`, `Fuse`, and `Strip` where a space is put before texts).

use monomorph_spec::vocab_layout::{Field, SPACE};

use super::Tokenizer;

impl Tokenizer {
    /// The text that the ids stand for. Ids beyond the vocabulary stand for nothing, nor do control pieces such as
    /// `<bos>` if `skip_special` is set.
    ///
    /// U+2581 becomes a space. Neighbouring byte pieces are joined to UTF-8; where they are none, each becomes U+FFFD.
    /// Decoding what was encoded gives the text again, except that a literal U+2581 in it comes back as a space.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let mut text = String::new();
        let mut bytes = Vec::new();
        for &id in ids {
            let Some(piece) = self.piece(id) else { continue };
            if skip_special && self.is_special(id) {
                continue;
            }
            match byte_of(piece) {
                Some(byte) => bytes.push(byte),
                None => {
                    flush(&mut bytes, &mut text);
                    let piece = String::from_utf8_lossy(piece);
                    text.extend(piece.chars().map(|c| if c == SPACE { ' ' } else { c }));
                }
            }
        }
        flush(&mut bytes, &mut text);
        if self.table.field(Field::SpacePrefix) != 0 && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }
}

/// Appends the text of a run of byte pieces.
fn flush(bytes: &mut Vec<u8>, text: &mut String) {
    match std::str::from_utf8(bytes) {
        Ok(run) => text.push_str(run),
        Err(_) => text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, bytes.len())),
    }
    bytes.clear();
}

/// The byte of a piece such as `<0x0A>`.
fn byte_of(piece: &[u8]) -> Option<u8> {
    let digits = piece.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}
