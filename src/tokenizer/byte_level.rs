//! Byte-level BPE, as the original tokenizers of Qwen2 and ModernBERT do it (Hugging Face `tokenizers`: `NFC`, `Split` or
//! `ByteLevel`, `BPE`).
//!
//! ```text
//! cut special tokens out of the text; of each part between them:
//!     compose the characters (NFC)
//!     cut out tokens that are not special but were added to the vocabulary all the same; of each part between them:
//!         split it into words by a pattern; of each word:
//!             write its bytes in the vocabulary's alphabet
//!             merge neighbours, of all listed pairs the first one, and the leftmost of several, until none is left
//! ```
//!
//! The text is read once, in stretches: a stretch ends at a special token, or after a run of letters or numbers, where a
//! word ends whatever stands before and after. Nothing crosses that place, if no token that is cut out does and the
//! characters on both sides are not changed by composing.
//!
//! Most words are pieces that merging forms by itself. The build has marked these, and they are found by their hash.
//!
//! Composing follows Unicode 9.0, as in the original. It costs little: the table of characters tells whether a stretch is
//! composed already.

use monomorph_spec::Split;
use monomorph_spec::byte_alphabet::ALPHABET;
use monomorph_spec::characters::{Class, Entry};
use monomorph_spec::vocab_layout::{Field, NONE, extend};
use unicode_normalization_alignments::UnicodeNormalization;

use super::Next;
use super::listed::Tokens;
use super::pattern::word_length;
use super::table::Table;

/// Appends the text's ids, asking `next` after each character or token how to go on. False when the text was not read to
/// its end.
pub fn tokenize(
    table: &Table,
    split: Split,
    text: &str,
    ids: &mut Vec<u32>,
    next: &mut impl FnMut(usize, &mut Vec<u32>) -> Next,
) -> bool {
    let mut merger = Merger::new(table, split);
    let mut rest = text;
    while !rest.is_empty() {
        let stretch = Stretch::read(table, rest, &mut |open| next(open, ids));
        merger.tokenize(&rest[stretch.start..stretch.end], stretch.is_composed, ids);
        rest = &rest[stretch.end..];
        if let Some((id, length)) = stretch.special {
            ids.push(id);
            rest = &rest[length..];
        }
        if stretch.is_last || next(0, ids) == Next::Stop {
            break;
        }
    }
    rest.is_empty()
}

/// A part of the text that is tokenized by itself.
struct Stretch {
    /// What is before is dropped.
    start: usize,
    end: usize,
    /// Whether composing leaves it as it is.
    is_composed: bool,
    /// The special token that follows, and its length in bytes.
    special: Option<(u32, usize)>,
    /// Whether reading ends here.
    is_last: bool,
}

impl Stretch {
    fn read(table: &Table, text: &str, next: &mut impl FnMut(usize) -> Next) -> Stretch {
        let has_mask = table.field(Field::Mask) != NONE;
        let mut stretch =
            Stretch { start: 0, end: 0, is_composed: true, special: None, is_last: false };
        let mut before: Option<(char, Entry)> = None;
        let (mut n_chars, mut last_class) = (0, 0);
        while let Some(c) = text[stretch.end..].chars().next() {
            let here = &text[stretch.end..];
            let entry = table.entry(c);
            stretch.special = table.cut_at(here);
            if has_mask && entry.class() == Class::Space {
                let begins = before.is_none_or(|(_, entry)| entry.class() != Class::Space);
                stretch.special = stretch
                    .special
                    .or_else(|| if begins { masked_space(table, here) } else { None });
            }
            let ends = before.is_some_and(|before| ends_word(table, before, (c, entry)));
            if stretch.special.is_some() || ends {
                break;
            }
            let class = entry.combining_class();
            stretch.is_composed &= !entry.may_compose() && (class == 0 || class >= last_class);
            (before, last_class) = (Some((c, entry)), class);
            stretch.end += c.len_utf8();
            n_chars += 1;
            match next(n_chars) {
                Next::Read => {}
                Next::KeepLast(kept) => {
                    let mut read = text[stretch.start..stretch.end].char_indices().rev();
                    if let Some((at, _)) = kept.checked_sub(1).and_then(|n| read.nth(n)) {
                        (stretch.start, n_chars) = (stretch.start + at, kept);
                    }
                }
                Next::Stop => {
                    stretch.is_last = true;
                    break;
                }
            }
        }
        stretch
    }
}

/// Whether a word ends between these characters, whatever the text.
#[inline]
fn ends_word(table: &Table, (left, before): (char, Entry), (right, after): (char, Entry)) -> bool {
    matches!(before.class(), Class::Letter | Class::Number)
        && before.class() != after.class()
        && before.is_inert()
        && after.is_inert()
        && !table.may_join(left, right)
}

/// The mask's id, and its length with the white space before it, if the text begins with these and no other token is cut
/// out of the white space.
fn masked_space(table: &Table, text: &str) -> Option<(u32, usize)> {
    for (at, c) in text.char_indices() {
        if let Some((id, length)) = table.cut_at(&text[at..]) {
            return (id == table.field(Field::Mask)).then_some((id, at + length));
        }
        if !c.is_whitespace() {
            break;
        }
    }
    None
}

/// Turns composed text into ids.
struct Merger<'t> {
    table: &'t Table,
    split: Split,
    /// Kept for their memory: a stretch, composed; a word in the alphabet of bytes; and the word's tokens.
    composed: String,
    word: String,
    tokens: Tokens,
}

impl<'t> Merger<'t> {
    fn new(table: &'t Table, split: Split) -> Self {
        let (composed, word, tokens) = Default::default();
        Merger { table, split, composed, word, tokens }
    }

    fn tokenize(&mut self, text: &str, is_composed: bool, ids: &mut Vec<u32>) {
        if is_composed {
            return self.cut(text, ids);
        }
        let mut composed = std::mem::take(&mut self.composed);
        composed.clear();
        composed.extend(text.nfc().map(|(c, _)| c));
        self.cut(&composed, ids);
        self.composed = composed;
    }

    /// Cuts out what is cut out of composed text.
    fn cut(&mut self, text: &str, ids: &mut Vec<u32>) {
        let (mut from, mut at) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            if let Some((id, length)) = self.table.cut_later_at(&text[at..]) {
                self.split(&text[from..at], ids);
                ids.push(id);
                at += length;
                from = at;
            } else {
                at += c.len_utf8();
            }
        }
        self.split(&text[from..], ids);
    }

    /// Splits a text into words and appends their ids.
    fn split(&mut self, text: &str, ids: &mut Vec<u32>) {
        let mut rest = text;
        while !rest.is_empty() {
            let (word, after) = rest.split_at(word_length(self.table, self.split, rest));
            self.merge(word, ids);
            rest = after;
        }
    }

    /// Appends the ids of a word.
    fn merge(&mut self, word: &str, ids: &mut Vec<u32>) {
        if let Some(id) = self.whole(word) {
            return ids.push(id);
        }
        let bytes = word.bytes().filter_map(|byte| self.table.byte_id(byte));
        bytes.for_each(|id| self.tokens.push(id));
        self.tokens.merge_into(self.table, ids);
    }

    /// The id of the piece that a word becomes as a whole, if the build found that.
    fn whole(&mut self, word: &str) -> Option<u32> {
        if word.len() > self.table.field(Field::LongestMerged) as usize {
            return None;
        }
        self.word.clear();
        let mut hash = 0;
        for byte in word.bytes() {
            let c = ALPHABET[usize::from(byte)];
            self.word.push(c);
            hash = extend(hash, c);
        }
        let rank = self.table.merged_rank(hash)?;
        self.table.is_piece(rank, &self.word).then(|| self.table.id(rank))
    }
}
