//! The tokens of a text with their places in it.
//!
//! A place is found again by comparing: where pieces joined are the text, as with SentencePiece, every token has one.
//! Where the tokenizer changes letters or spaces, a token has one if its letters are still there but for case; after the
//! first that is not, none has.

use monomorph::built::SPEC;
use monomorph::tokenizer::Tokenizer;
use monomorph_server::Token;

/// What vocabularies write for a space.
const SPACE: char = '\u{2581}';

/// The tokens of a text, with or without marks; none if they are more than `most`.
pub fn of(tokenizer: Tokenizer, text: &str, marks: bool, most: usize) -> Option<Vec<Token>> {
    let encoding = tokenizer.encode(text, most);
    if encoding.dropped > 0 {
        return None;
    }
    let n = encoding.ids.len();
    let spec = SPEC.tokenizer;
    let (first, last) = (spec.add_bos.into(), n - usize::from(spec.add_eos));
    // Where the next token begins, as long as that is known.
    let mut place = Some(0);
    let token = |(i, &id): (usize, &u32)| {
        let is_mark = i < first || i >= last;
        if is_mark && !marks {
            return None;
        }
        let letters = letters(tokenizer, id);
        let span = match (is_mark, place) {
            (false, Some(at)) => find(text, at, &letters),
            _ => None,
        };
        if !is_mark {
            place = span.as_ref().map(|span| span.end);
        }
        let own = span.clone().and_then(|span| text.get(span)).map(str::to_owned);
        let text = own.unwrap_or_else(|| String::from_utf8_lossy(&letters).into_owned());
        Some(Token { id, text, special: is_mark || tokenizer.is_special(id), span })
    };
    Some(encoding.ids.iter().enumerate().filter_map(token).collect())
}

/// The bytes that a piece stands for.
fn letters(tokenizer: Tokenizer, id: u32) -> Vec<u8> {
    let piece = tokenizer.piece(id).unwrap_or_default();
    match byte_of(piece) {
        Some(byte) => vec![byte],
        // Byte-level pieces are in an alphabet of their own, which decoding knows, as long as they are whole letters.
        None if SPEC.tokenizer.algorithm.is_byte_level() => {
            tokenizer.decode(&[id], false).into_bytes()
        }
        None => String::from_utf8_lossy(piece).replace(SPACE, " ").into_bytes(),
    }
}

/// The byte of a piece such as `<0x0A>`.
fn byte_of(piece: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(piece).ok()?.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// Where these letters are in the text, from here on: at once, or after white space that the tokenizer dropped.
fn find(text: &str, at: usize, letters: &[u8]) -> Option<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    if bytes.get(at..)?.starts_with(letters) {
        return Some(at..at + letters.len());
    }
    let word = letters.trim_ascii_start();
    let white = bytes.get(at..)?.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let start = at + white;
    let found = bytes.get(start..start + word.len())?;
    let is_same = !word.is_empty() && found.eq_ignore_ascii_case(word);
    is_same.then(|| start..start + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use monomorph::built;

    #[test]
    fn places_are_found_but_for_case_and_white_space() {
        assert_eq!(find("a b", 1, b" b"), Some(1..3));
        assert_eq!(find("Hello  World", 5, b"world"), Some(7..12));
        assert_eq!(find("Hello", 0, b" hello"), Some(0..5));
        assert_eq!(find("\u{e9}a", 0, b"ea"), None);
        assert_eq!(find("ab", 2, b"c"), None);
        assert_eq!(find("ab", 3, b""), None);
    }

    /// Whatever the vocabulary: places follow each other, and their text is the tokens'.
    #[test]
    fn places_are_those_of_the_text() {
        let tokenizer = built::tokenizer();
        for text in ["", "Hello world", "  two  spaces ", "\u{4f60}\u{597d} \u{1f680}!", "<bos>a"] {
            let tokens = of(tokenizer, text, true, 1000).expect("few tokens");
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(ids, tokenizer.encode(text, 1000).ids);
            let mut end = 0;
            for token in &tokens {
                let Some(span) = token.span.clone() else { continue };
                assert!(span.start >= end && span.end <= text.len(), "{text:?}: {token:?}");
                end = span.end;
                if let Some(own) = text.get(span) {
                    assert_eq!(own, token.text);
                }
            }
            let bare = of(tokenizer, text, false, 1000).expect("few tokens");
            let n_marks = tokenizer.encode("", 1000).ids.len();
            assert_eq!(bare.len(), tokens.len() - n_marks, "{text:?}");
            assert!(bare.iter().all(|token| tokens.contains(token)), "{text:?}");
        }
        assert_eq!(of(tokenizer, "Hello world, this is long", true, 3), None);
    }
}
