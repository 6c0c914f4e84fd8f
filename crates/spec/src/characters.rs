//! The table of characters: what a tokenizer's normaliser makes of each character, and where words end.
//!
//! The build fills the table, and the tokenizer reads it in place. It has two levels: `N_PAGES` page numbers, and pages
//! of [`PAGE`] entries each. Most pages of Unicode are alike, and equal pages are stored once.

/// Number of entries in a page.
pub const PAGE: usize = 256;

/// Number of pages that all of Unicode takes.
pub const N_PAGES: usize = 0x11_0000 / PAGE;

/// What happens to a character of a text, and what the character is in the normalised text.
///
/// | bits | contents |
/// |---|---|
/// | 0, 1 | the [`Place`] of the character in the normalised text; its [`Class`] for byte-level BPE |
/// | 2 | it is replaced by other characters |
/// | 3 | it is a Hangul syllable and is replaced by its two or three jamo |
/// | 4 | it stands alone, whatever it is replaced by |
/// | 5 | it may form a grapheme cluster with a neighbour, and clusters matter |
/// | 6 | composing (NFC) may change it, or it and what is before it |
/// | 8 to 15 | its canonical combining class in the normalised text |
/// | 16 to 31 | where these characters begin in the section of mapped characters; they end before a 0 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Entry(pub u32);

/// What a character of a normalised text is to the words around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Place {
    /// Part of a word.
    Inside = 0,
    /// White space, which separates words and is dropped.
    Space = 1,
    /// A word of its own.
    Alone = 2,
}

/// What a character is to the patterns of byte-level BPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Class {
    /// None of the others: signs, marks, control characters.
    Other = 0,
    /// A letter: Unicode's categories L*.
    Letter = 1,
    /// A number: Unicode's categories N*.
    Number = 2,
    /// White space.
    Space = 3,
}

const MAPPED: u32 = 1 << 2;
const HANGUL: u32 = 1 << 3;
const ISOLATED: u32 = 1 << 4;
const CLUSTERS: u32 = 1 << 5;
const COMPOSES: u32 = 1 << 6;

impl Entry {
    /// An entry for a character that stays as it is.
    pub const fn new(place: Place, combining_class: u8) -> Entry {
        Entry(place as u32 | (combining_class as u32) << 8)
    }

    /// An entry for byte-level BPE.
    pub const fn of_class(class: Class, combining_class: u8) -> Entry {
        Entry(class as u32 | (combining_class as u32) << 8)
    }

    /// The entry, changed by composing.
    pub const fn composing(self) -> Entry {
        Entry(self.0 | COMPOSES)
    }

    /// The entry, replaced by the mapped characters from `start` on.
    pub const fn mapped(self, start: u16) -> Entry {
        Entry(self.0 | MAPPED | (start as u32) << 16)
    }

    /// The entry of a Hangul syllable that is decomposed.
    pub const fn hangul(self) -> Entry {
        Entry(self.0 | HANGUL)
    }

    /// The entry, standing alone.
    pub const fn isolated(self) -> Entry {
        Entry(self.0 | ISOLATED)
    }

    /// The entry, part of clusters.
    pub const fn clustering(self) -> Entry {
        Entry(self.0 | CLUSTERS)
    }

    /// Where the character stands in the normalised text.
    #[inline]
    pub const fn place(self) -> Place {
        match self.0 & 3 {
            0 => Place::Inside,
            1 => Place::Space,
            _ => Place::Alone,
        }
    }

    /// What the character is to byte-level BPE's patterns.
    #[inline]
    pub const fn class(self) -> Class {
        match self.0 & 3 {
            0 => Class::Other,
            1 => Class::Letter,
            2 => Class::Number,
            _ => Class::Space,
        }
    }

    /// Whether composing may change it, or it and what is before it.
    #[inline]
    pub const fn may_compose(self) -> bool {
        self.0 & COMPOSES != 0
    }

    /// Whether composing leaves it as it is and nothing crosses it.
    #[inline]
    pub const fn is_inert(self) -> bool {
        !self.may_compose() && self.combining_class() == 0
    }

    /// Whether it is an ordinary character of a word: kept, and neither alone nor combining nor part of clusters.
    #[inline]
    pub const fn is_plain(self) -> bool {
        self.0 == 0
    }

    /// Where the characters that replace it begin; `None` if it is kept.
    #[inline]
    pub const fn mapping(self) -> Option<usize> {
        if self.0 & MAPPED == 0 { None } else { Some((self.0 >> 16) as usize) }
    }

    /// Whether it may form a grapheme cluster with a character before or after it.
    #[inline]
    pub const fn may_cluster(self) -> bool {
        self.0 & CLUSTERS != 0
    }

    /// Whether it is a Hangul syllable that is decomposed.
    #[inline]
    pub const fn is_hangul(self) -> bool {
        self.0 & HANGUL != 0
    }

    /// Whether it stands alone, whatever it is replaced by.
    #[inline]
    pub const fn is_isolated(self) -> bool {
        self.0 & ISOLATED != 0
    }

    /// Its canonical combining class in the normalised text; 0 for characters that do not reorder.
    #[inline]
    pub const fn combining_class(self) -> u8 {
        (self.0 >> 8) as u8
    }
}

/// A grapheme cluster of several characters that a normaliser replaces as one, as a number: its first five bytes in
/// UTF-8, then where the characters that replace it begin in the section of mapped characters.
///
/// The table holds them in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster(pub u64);

impl Cluster {
    /// The longest cluster that a normaliser can replace, in bytes.
    pub const MAX_BYTES: usize = 5;

    /// The cluster of these characters.
    pub fn new(text: &str, start: u16) -> Cluster {
        Cluster(Cluster::key(text) | u64::from(start))
    }

    /// The cluster as a number, without what replaces it. `text` is at most [`Cluster::MAX_BYTES`] long.
    #[inline]
    pub fn key(text: &str) -> u64 {
        let mut bytes = [0; 8];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        u64::from_be_bytes(bytes)
    }

    /// Where the characters that replace it begin, if it is the cluster with this key.
    #[inline]
    pub fn mapping(self, key: u64) -> Option<usize> {
        let start = self.0 ^ key;
        (start <= u64::from(u16::MAX)).then_some(start as usize)
    }
}

/// The jamo of a Hangul syllable (Unicode Standard, section 3.12); the third is `None` for syllables of two.
#[inline]
pub fn jamo(syllable: char) -> [Option<char>; 3] {
    const FIRST: u32 = 0xac00;
    const VOWELS: u32 = 21;
    const TAILS: u32 = 28;
    let index = (syllable as u32).saturating_sub(FIRST);
    let tail = index % TAILS;
    [
        char::from_u32(0x1100 + index / (VOWELS * TAILS)),
        char::from_u32(0x1161 + index / TAILS % VOWELS),
        char::from_u32(0x11a7 + tail).filter(|_| tail > 0),
    ]
}
