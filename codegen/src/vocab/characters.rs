//! Fills the table of characters for a normaliser; [`monomorph_spec::characters`] describes it.
//!
//! The categories are those of the crates that the original tokenizers use: Unicode 8.0 for categories, and 9.0 for
//! decompositions. Marks and punctuation that Unicode has assigned since are letters to them, and so they are here. Letters
//! and numbers of byte-level BPE's patterns are those of Unicode 16.0, which the original's Oniguruma has.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use super::charsmap::Replacements;
use monomorph_gguf::Error;
use monomorph_spec::WordNormalizer;
use monomorph_spec::characters::{Class, Cluster, Entry, N_PAGES, PAGE, Place};
use unicode_categories::UnicodeCategories;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization_alignments::char::canonical_combining_class;
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

/// The pages of planes 4 to 13, more than half of all. No version of Unicode has assigned a character there, so that the
/// first page is like all others.
const EMPTY_PAGES: Range<usize> = 0x4_0000 / PAGE..0xe_0000 / PAGE;

/// The sections of the table.
#[derive(Default)]
pub(super) struct Characters {
    /// The page of each 256 characters of Unicode.
    pub page_numbers: Vec<u32>,
    /// Entries, a page after the other.
    pub pages: Vec<u32>,
    /// The characters that others are replaced by; a zero ends each sequence.
    pub mapped: Vec<u32>,
    /// The grapheme clusters that are replaced as one, in ascending order.
    pub clusters: Vec<Cluster>,
    /// Where each sequence of mapped characters begins.
    starts: HashMap<String, u16>,
}

impl Characters {
    /// The characters as this normaliser sees them.
    pub fn of_words(normalizer: WordNormalizer) -> Result<Characters, Error> {
        Characters::default().filled(EMPTY_PAGES, |characters, c| characters.entry(c, normalizer))
    }

    /// The characters as a map of SentencePiece's sees them. (Hugging Face's `Precompiled` looks up grapheme clusters of
    /// fewer than six bytes: of the keys that they begin with, the shortest replaces the whole cluster. Where there is
    /// none, and in longer clusters, each character is looked up alone.)
    pub fn of_map(map: &Replacements) -> Result<Characters, Error> {
        let mut characters = Characters::default();
        let mut single: HashMap<char, &str> = HashMap::new();
        // A key comes before all that begin with it, and hides them.
        let mut last = None;
        for (key, value) in map {
            let mut chars = key.chars();
            let Some(first) = chars.next() else { continue };
            if chars.next().is_none() {
                single.insert(first, value);
            } else if !single.contains_key(&first)
                && !last.is_some_and(|last: &str| key.starts_with(last))
            {
                last = Some(key);
                let start = characters.map(value)?;
                characters.clusters.push(Cluster::new(key, start));
            }
        }
        // The map may have any character.
        characters.filled(0..0, |characters, c| {
            let mut entry =
                Entry::new(if c.is_whitespace() { Place::Space } else { Place::Inside }, 0);
            if may_cluster(c) {
                entry = entry.clustering();
            }
            Ok(match single.get(&c) {
                Some(value) => entry.mapped(characters.map(value)?),
                None => entry,
            })
        })
    }

    /// The characters as byte-level BPE sees them.
    pub fn of_classes() -> Result<Characters, Error> {
        Characters::default().filled(EMPTY_PAGES, |_, c| Ok(classified(c)))
    }

    /// Fills the pages; of those that are `alike`, the first is filled for all.
    fn filled(
        mut self,
        alike: Range<usize>,
        mut entry: impl FnMut(&mut Characters, char) -> Result<Entry, Error>,
    ) -> Result<Characters, Error> {
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        for page in 0..N_PAGES {
            if alike.contains(&page) && page > alike.start {
                self.page_numbers.push(self.page_numbers[alike.start]);
                continue;
            }
            let codes = (page * PAGE) as u32..((page + 1) * PAGE) as u32;
            // Surrogates are no characters; their entries are never read.
            let entries = codes.map(|code| match char::from_u32(code) {
                Some(c) => Ok(entry(&mut self, c)?.0),
                None => Ok(0),
            });
            let entries: Vec<u32> = entries.collect::<Result<_, Error>>()?;
            let next = known.len() as u32;
            let number = *known.entry(entries).or_insert_with_key(|entries| {
                self.pages.extend(entries);
                next
            });
            self.page_numbers.push(number);
        }
        Ok(self)
    }

    fn entry(&mut self, c: char, normalizer: WordNormalizer) -> Result<Entry, Error> {
        // The order of the steps is that of `BertNormalizer`.
        if is_dropped(c) {
            // Dropped before anything is decomposed, so that it does not keep what follows from combining: any
            // combining class but 0 says so.
            return Ok(Entry::new(Place::Inside, u8::MAX).mapped(self.map("")?));
        }
        let strip = normalizer.strip_accents;
        let class = if strip { canonical_combining_class(c) } else { 0 };
        let entry = Entry::new(place(c), class);
        let entry = if is_ideograph(c) { entry.isolated() } else { entry };
        if strip && matches!(c, '\u{ac00}'..='\u{d7a3}') {
            return Ok(entry.hangul());
        }
        let to = normalized(c, normalizer);
        let is_kept = to.chars().eq([c]);
        Ok(if is_kept { entry } else { entry.mapped(self.map(&to)?) })
    }

    /// Where a sequence of mapped characters begins.
    fn map(&mut self, to: &str) -> Result<u16, Error> {
        if let Some(&start) = self.starts.get(to) {
            return Ok(start);
        }
        let start = u16::try_from(self.mapped.len()).map_err(|_| Error::Unsupported {
            reason: "the tokenizer replaces characters by more than 65,536 others".to_owned(),
        })?;
        self.mapped.extend(to.chars().map(u32::from).chain([0]));
        self.starts.insert(to.to_owned(), start);
        Ok(start)
    }
}

/// The character decomposed, without its non-spacing marks, in lower case: as far as the normaliser asks for it.
fn normalized(c: char, normalizer: WordNormalizer) -> String {
    let decomposed: String = match normalizer.strip_accents {
        true => {
            let all = std::iter::once(c).nfd().map(|(c, _)| c);
            all.filter(|c| !c.is_mark_nonspacing()).collect()
        }
        false => c.to_string(),
    };
    match normalizer.lowercase {
        true => decomposed.chars().flat_map(char::to_lowercase).collect(),
        false => decomposed,
    }
}

/// Whether a grapheme cluster may hold this character and another. Two characters of which this says no are never in one:
/// besides those that a letter or a copy of itself joins, clusters need marks or joiners, which join letters.
fn may_cluster(c: char) -> bool {
    // Trying all of Unicode takes a tenth of a second.
    static CLUSTERING: LazyLock<HashSet<char>> = LazyLock::new(|| {
        let mut text = String::new();
        let mut joins = |pair: [char; 2]| {
            text.clear();
            text.extend(pair);
            text.graphemes(true).nth(1).is_none()
        };
        // U+000D joins U+000A alone.
        let mut clusters =
            |c: char| c == '\r' || joins(['a', c]) || joins([c, 'a']) || joins([c, c]);
        ('\0'..=char::MAX).filter(|&c| clusters(c)).collect()
    });
    CLUSTERING.contains(&c)
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

/// The entry of a character for byte-level BPE.
fn classified(c: char) -> Entry {
    let entry = Entry::of_class(class(c), canonical_combining_class(c));
    let is_kept = is_nfc_quick(std::iter::once(c)) == IsNormalized::Yes;
    if is_kept { entry } else { entry.composing() }
}

/// What a character is to the patterns of byte-level BPE.
fn class(c: char) -> Class {
    use GeneralCategory::{
        DecimalNumber, LetterNumber, LowercaseLetter, ModifierLetter, OtherLetter, OtherNumber,
        TitlecaseLetter, UppercaseLetter,
    };
    match get_general_category(c) {
        _ if c.is_whitespace() => Class::Space,
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => {
            Class::Letter
        }
        DecimalNumber | LetterNumber | OtherNumber => Class::Number,
        _ => Class::Other,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_empty_planes_are_alike() {
        let characters = || {
            let codes = EMPTY_PAGES.start * PAGE..EMPTY_PAGES.end * PAGE;
            codes.map(|code| char::from_u32(code as u32).unwrap())
        };
        let is_alike = |entry: &mut dyn FnMut(char) -> Entry| {
            let first = entry(characters().next().unwrap());
            characters().all(|c| entry(c) == first)
        };
        assert!(is_alike(&mut classified));
        for lowercase in [false, true] {
            for strip_accents in [false, true] {
                let normalizer = WordNormalizer { lowercase, strip_accents };
                let mut of_words = Characters::default();
                assert!(is_alike(&mut |c| of_words.entry(c, normalizer).unwrap()));
            }
        }
    }
}
