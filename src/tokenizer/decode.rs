//! Token ids back to text, as the decoder of the model's original tokenizer does it (Hugging Face `tokenizers`:
//! `Replace`, `ByteFallback`, `Fuse`, and `Strip` where a space is put before texts, or `Metaspace`; `WordPiece` with its
//! clean-up for a vocabulary of that kind; `ByteLevel` for one in the alphabet of bytes).

use monomorph_spec::byte_alphabet;
use monomorph_spec::vocab_layout::{Field, SPACE};

use super::Tokenizer;
use super::table::Algorithm;

impl Tokenizer {
    /// The text that the ids stand for. Ids beyond the vocabulary stand for nothing, nor do control pieces such as
    /// `<bos>` if `skip_special` is set.
    ///
    /// U+2581 becomes a space. Neighbouring byte pieces are joined to UTF-8; where they are none, each becomes U+FFFD.
    /// Decoding what was encoded gives the text again, except that a literal U+2581 in it comes back as a space.
    ///
    /// With WordPiece, words are joined by spaces, except where punctuation or an English contraction usually has none.
    /// Case, accents and white space that the tokenizer removed do not come back.
    ///
    /// With byte-level BPE, the bytes of all pieces are joined to UTF-8; what is none becomes U+FFFD.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        match self.table.algorithm() {
            Algorithm::ScoredBpe | Algorithm::ListedMerges | Algorithm::Unigram => {
                self.decode_merged(ids, skip_special)
            }
            Algorithm::WordPiece => self.decode_words(ids, skip_special),
            Algorithm::ByteLevel(_) => self.decode_bytes(ids, skip_special),
        }
    }

    fn decode_merged(&self, ids: &[u32], skip_special: bool) -> String {
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

    fn decode_bytes(&self, ids: &[u32], skip_special: bool) -> String {
        let mut bytes = Vec::new();
        for &id in ids {
            let Some(piece) = self.piece(id) else { continue };
            if skip_special && self.is_special(id) {
                continue;
            }
            let before = bytes.len();
            for c in String::from_utf8_lossy(piece).chars() {
                let Some(byte) = byte_alphabet::byte_of(c) else {
                    // A token that was added to the vocabulary stands for itself.
                    bytes.truncate(before);
                    bytes.extend_from_slice(piece);
                    break;
                };
                bytes.push(byte);
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn decode_words(&self, ids: &[u32], skip_special: bool) -> String {
        let mut text = String::new();
        let mut is_first = true;
        for &id in ids {
            let Some(piece) = self.piece(id) else { continue };
            let is_special = self.is_special(id);
            if skip_special && is_special {
                continue;
            }
            let piece = String::from_utf8_lossy(piece);
            let beginning = piece.strip_prefix(SPACE);
            let is_separate = is_special || beginning.is_some();
            let piece = beginning.unwrap_or(&piece);
            // The first token stays as the vocabulary has it.
            let token = match (is_first, is_separate) {
                (true, true) => piece.to_owned(),
                (true, false) => format!("##{piece}"),
                (false, true) => format!(" {piece}"),
                (false, false) => piece.to_owned(),
            };
            text.push_str(&clean_up(token));
            is_first = false;
        }
        text
    }
}

/// The clean-up of the original decoder, which looks at one token at a time.
fn clean_up(token: String) -> String {
    const RULES: [(&str, &str); 11] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" do not", " don't"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES.iter().fold(token, |token, (from, to)| match token.contains(from) {
        true => token.replace(from, to),
        false => token,
    })
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
