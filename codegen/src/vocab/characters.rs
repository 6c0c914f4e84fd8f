//! Fills the table of characters for a normaliser; [`monomorph_spec::characters`] describes it.
//!
//! The categories are those of the crates that the original tokenizers use: Unicode 8.0 for categories, and 9.0 for
//! decompositions. Marks and punctuation that Unicode has assigned since are letters to them, and so they are here.

use std::collections::HashMap;

use monomorph_spec::WordNormalizer;
use monomorph_spec::characters::{Entry, N_PAGES, PAGE, Place};
use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;
use unicode_normalization_alignments::char::canonical_combining_class;

/// The sections of the table.
#[derive(Default)]
pub(super) struct Characters {
    /// The page of each 256 characters of Unicode.
    pub page_numbers: Vec<u32>,
    /// Entries, a page after the other.
    pub pages: Vec<u32>,
    /// The characters that others are replaced by.
    pub mapped: Vec<u32>,
}

impl Characters {
    pub fn of(normalizer: WordNormalizer) -> Characters {
        let mut characters = Characters::default();
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        for page in 0..N_PAGES {
            let codes = (page * PAGE) as u32..((page + 1) * PAGE) as u32;
            // Surrogates are no characters; their entries are never read.
            let entries = codes.map(|code| match char::from_u32(code) {
                Some(c) => characters.entry(c, normalizer).0,
                None => 0,
            });
            let entries: Vec<u32> = entries.collect();
            let next = known.len() as u32;
            let number = *known.entry(entries).or_insert_with_key(|entries| {
                characters.pages.extend(entries);
                next
            });
            characters.page_numbers.push(number);
        }
        characters
    }

    fn entry(&mut self, c: char, normalizer: WordNormalizer) -> Entry {
        // The order of the steps is that of `BertNormalizer`.
        if is_dropped(c) {
            // Dropped before anything is decomposed, so that it does not keep what follows from combining: any
            // combining class but 0 says so.
            return Entry::new(Place::Inside, u8::MAX).mapped(0, 0);
        }
        let strip = normalizer.strip_accents;
        let class = if strip { canonical_combining_class(c) } else { 0 };
        let entry = Entry::new(place(c), class);
        let entry = if is_ideograph(c) { entry.isolated() } else { entry };
        if strip && matches!(c, '\u{ac00}'..='\u{d7a3}') {
            return entry.hangul();
        }
        let to = normalized(c, normalizer);
        if to == [c] { entry } else { entry.mapped(self.map(&to), to.len()) }
    }

    /// Where a sequence of mapped characters begins.
    fn map(&mut self, to: &[char]) -> u16 {
        let start = self.mapped.len();
        self.mapped.extend(to.iter().map(|&c| u32::from(c)));
        u16::try_from(start).expect("a few thousand characters are mapped")
    }
}

/// The character decomposed, without its non-spacing marks, in lower case: as far as the normaliser asks for it.
fn normalized(c: char, normalizer: WordNormalizer) -> Vec<char> {
    let decomposed: Vec<char> = match normalizer.strip_accents {
        true => {
            let all = std::iter::once(c).nfd().map(|(c, _)| c);
            all.filter(|c| !c.is_mark_nonspacing()).collect()
        }
        false => vec![c],
    };
    match normalizer.lowercase {
        true => decomposed.into_iter().flat_map(char::to_lowercase).collect(),
        false => decomposed,
    }
}

/// What a character of the normalised text is to the words around it.
fn place(c: char) -> Place {
    if c.is_whitespace() {
        Place::Space
    } else if c.is_ascii_punctuation() || c.is_punctuation() {
        Place::Alone
    } else {
        Place::Inside
    }
}

fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\0' | '\u{fffd}' => true,
        _ => c.is_other(),
    }
}

/// The ideographs that get spaces around them: neither kana nor hangul. The block of extension E really begins at
/// U+2B820; the original has this slip.
fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}
