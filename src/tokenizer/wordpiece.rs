//! WordPiece, as BERT's original tokenizer does it (Hugging Face `tokenizers`: `BertNormalizer`, `BertPreTokenizer`,
//! `WordPiece`).
//!
//! ```text
//! at every character of the text:
//!     if a special token begins here:  close the word; emit the token; continue after it
//!     replace the character by what the normaliser makes of it (nothing, itself, or others), and for each of these:
//!         white space closes the word; punctuation closes it and is a word of its own; all others are appended to it
//!
//! to close a word:  cut it from the left into pieces, the longest first; if at some place no piece fits, the whole word
//!                   becomes the piece for unknown text
//! ```
//!
//! A GGUF file writes a piece that begins a word with U+2581 in front, and one that continues a word without the `##`
//! of the original. A text may hold U+2581 too, but no piece that continues a word begins with it.

use monomorph_spec::characters::{Entry, Place, jamo};
use monomorph_spec::vocab_layout::{BASE, Field, SPACE, extend};

use super::Next;
use super::table::{POWERS, Table};

/// Longer words, in characters, become the piece for unknown text.
const MAX_WORD_CHARS: usize = 100;

/// Appends the text's ids, asking `next` after each character or piece how to go on. A word counts as no open
/// characters: it takes little memory, however long it is. False when the text was not read to its end.
pub fn tokenize(
    table: &Table,
    text: &str,
    ids: &mut Vec<u32>,
    next: &mut impl FnMut(usize, &mut Vec<u32>) -> Next,
) -> bool {
    let mut word = Word::new(table);
    let mut rest = text.chars();
    loop {
        let here = rest.as_str();
        if let Some((id, length)) = table.cut_at(here) {
            word.close(ids);
            ids.push(id);
            rest = here[length..].chars();
        } else {
            let Some(c) = rest.next() else { break };
            word.read(c, ids);
        }
        if next(0, ids) == Next::Stop {
            break;
        }
    }
    word.close(ids);
    rest.as_str().is_empty()
}

/// The word that is being read.
struct Word<'t> {
    table: &'t Table,
    /// U+2581, then the word's characters, normalised: as many as can matter.
    chars: Vec<char>,
    /// Where the last character stands that does not combine with those before it; combining characters are sorted
    /// back to there.
    starter: usize,
    /// The word as UTF-8, where each character begins in it, and the hash of what comes before each: kept for their
    /// memory.
    text: String,
    places: Vec<(usize, u64)>,
}

impl<'t> Word<'t> {
    fn new(table: &'t Table) -> Self {
        let (text, places) = Default::default();
        Word { table, chars: vec![SPACE], starter: 0, text, places }
    }

    /// Normalises a character and appends the result.
    fn read(&mut self, c: char, ids: &mut Vec<u32>) {
        let entry = self.table.entry(c);
        if entry.is_plain() {
            self.append(c);
        } else {
            self.read_other(c, entry, ids);
        }
    }

    fn read_other(&mut self, c: char, entry: Entry, ids: &mut Vec<u32>) {
        if entry.is_isolated() {
            self.close(ids);
        }
        if entry.is_hangul() {
            jamo(c).into_iter().flatten().for_each(|c| self.append(c));
        } else if let Some(start) = entry.mapping() {
            let mut mapped = self.table.mapped(start).peekable();
            if mapped.peek().is_none() && entry.combining_class() == 0 {
                // It combines with nothing, and keeps what follows from combining with what came before.
                self.starter = self.chars.len() - 1;
            }
            for c in mapped {
                self.place(c, self.table.entry(c), ids);
            }
        } else {
            self.place(c, entry, ids);
        }
        if entry.is_isolated() {
            self.close(ids);
        }
    }

    /// Appends a character of the normalised text.
    fn place(&mut self, c: char, entry: Entry, ids: &mut Vec<u32>) {
        match entry.place() {
            Place::Space => self.close(ids),
            Place::Alone => {
                self.close(ids);
                self.append(c);
                self.close(ids);
            }
            Place::Inside if entry.combining_class() > 0 => {
                self.combine(c, entry.combining_class())
            }
            Place::Inside => self.append(c),
        }
    }

    #[inline]
    fn append(&mut self, c: char) {
        if self.chars.len() <= MAX_WORD_CHARS + 1 {
            self.starter = self.chars.len();
            self.chars.push(c);
        }
    }

    /// Appends a combining character, before those of a higher class (Unicode's canonical ordering).
    fn combine(&mut self, c: char, class: u8) {
        let mut at = self.chars.len();
        while at > self.starter + 1 && self.class(at - 1) > class {
            at -= 1;
        }
        if self.chars.len() <= MAX_WORD_CHARS + 1 {
            self.chars.insert(at, c);
        }
    }

    fn class(&self, at: usize) -> u8 {
        self.table.entry(self.chars[at]).combining_class()
    }

    /// Appends the word's ids and begins a new word.
    fn close(&mut self, ids: &mut Vec<u32>) {
        if self.chars.len() > 1 {
            let before = ids.len();
            if self.chars.len() - 1 > MAX_WORD_CHARS || !self.cut(ids) {
                ids.truncate(before);
                ids.push(self.table.field(Field::Unknown));
            }
            self.chars.truncate(1);
        }
        self.starter = 0;
    }

    /// Cuts the word into pieces. False, with some ids appended, where no piece fits.
    fn cut(&mut self, ids: &mut Vec<u32>) -> bool {
        self.text.clear();
        self.places.clear();
        let mut hash = 0;
        for &c in &self.chars {
            self.places.push((self.text.len(), hash));
            self.text.push(c);
            hash = extend(hash, c);
        }
        self.places.push((self.text.len(), hash));
        let mut start = 0;
        while start < self.chars.len() {
            if start > 0 && self.chars[start] == SPACE {
                return false;
            }
            let Some((id, end)) = self.longest(start) else { return false };
            ids.push(id);
            start = end;
        }
        true
    }

    /// The id and end of the longest piece that begins at character `start`.
    fn longest(&self, start: usize) -> Option<(u32, usize)> {
        let most = self.table.field(Field::LongestMerged) as usize;
        let rest = &self.chars[start..];
        let joined =
            rest.windows(2).take(most - 1).take_while(|pair| self.table.may_join(pair[0], pair[1]));
        // The mark of a beginning alone is no beginning.
        let least = if start == 0 { 2 } else { 1 };
        (least..=1 + joined.count()).rev().find_map(|length| {
            let ((from, before), (to, after)) = (self.places[start], self.places[start + length]);
            let hash = after.wrapping_sub(before.wrapping_mul(POWERS[length]));
            let rank = self.table.merged_rank(hash)?;
            let found = self.table.is_piece(rank, &self.text[from..to]);
            found.then(|| (self.table.id(rank), start + length))
        })
    }
}

// The hash of a substring rests on this.
const _: () = assert!(POWERS[1] == BASE);
