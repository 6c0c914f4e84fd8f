//! The vocabulary's table, read in place; [`monomorph_spec::vocab_layout`] describes its layout.
//!
//! The blob is part of the binary and was written by the build, so its content is trusted. The only check is that it is
//! a blob of this layout.

use monomorph_spec::Split;
use monomorph_spec::characters::{Cluster, Entry, PAGE};
use monomorph_spec::vocab_layout::{
    BASE, CUT, CUT_LATER, Field, GPT2, HEADER_BYTES, HashPlace, LISTED_MERGES, MAGIC,
    MAX_MERGED_CHARS, MERGED, Merge, NONE, QWEN2, RANK_MASK, SCORED_BPE, SPECIAL, Sections,
    UNIGRAM, VERSION, WORD_PIECE, extend, pair_bit,
};

type Words = &'static [[u8; 4]];

/// How a text becomes pieces.
#[derive(Clone, Copy)]
pub enum Algorithm {
    ScoredBpe,
    WordPiece,
    Unigram,
    ByteLevel(Split),
    ListedMerges,
}

#[derive(Clone, Copy)]
pub struct Table {
    header: [u32; HEADER_BYTES / 4],
    algorithm: Algorithm,
    slots: &'static [[u8; 8]],
    ids: Words,
    ends: Words,
    byte_ids: Words,
    cut_starts: Words,
    cut_lengths: Words,
    page_numbers: Words,
    pages: Words,
    mapped: Words,
    clusters: &'static [[u8; 8]],
    scores: Words,
    merges: &'static [[u8; 8]],
    merged: Words,
    pairs: Words,
    bytes: &'static [u8],
}

impl Table {
    /// Splits the blob into its sections. Panics if it is not a vocabulary blob; for a constant that is a compile-time
    /// error.
    pub const fn new(blob: &'static [u8]) -> Self {
        let (header_words, rest) = words(blob, HEADER_BYTES);
        let mut header = [0; HEADER_BYTES / 4];
        let mut i = 0;
        while i < header.len() {
            header[i] = u32::from_le_bytes(header_words[i]);
            i += 1;
        }
        assert!(header[Field::Magic as usize] == MAGIC, "not a vocabulary blob");
        assert!(
            header[Field::Version as usize] == VERSION,
            "the vocabulary blob has another version"
        );
        let algorithm = match header[Field::Algorithm as usize] {
            SCORED_BPE => Algorithm::ScoredBpe,
            WORD_PIECE => Algorithm::WordPiece,
            UNIGRAM => Algorithm::Unigram,
            GPT2 => Algorithm::ByteLevel(Split::Gpt2),
            QWEN2 => Algorithm::ByteLevel(Split::Qwen2),
            LISTED_MERGES => Algorithm::ListedMerges,
            _ => panic!("the vocabulary blob has an unknown algorithm"),
        };
        let sections = Sections::of(&header);
        let (slots, rest) = rest.split_at(sections.slots);
        let (ids, rest) = words(rest, sections.ids);
        let (ends, rest) = words(rest, sections.ends);
        let (byte_ids, rest) = words(rest, sections.byte_ids);
        let (cut_starts, rest) = words(rest, sections.cut_starts);
        let (cut_lengths, rest) = words(rest, sections.cut_lengths);
        let (page_numbers, rest) = words(rest, sections.page_numbers);
        let (pages, rest) = words(rest, sections.pages);
        let (mapped, rest) = words(rest, sections.mapped);
        let (clusters, rest) = rest.split_at(sections.clusters);
        let (scores, rest) = words(rest, sections.scores);
        let (merges, rest) = rest.split_at(sections.merges);
        let (merged, rest) = words(rest, sections.merged);
        let (pairs, bytes) = words(rest, sections.pairs);
        assert!(bytes.len() == sections.bytes, "the vocabulary blob has the wrong length");
        Table {
            header,
            algorithm,
            slots: slots.as_chunks().0,
            ids,
            ends,
            byte_ids,
            cut_starts,
            cut_lengths,
            page_numbers,
            pages,
            mapped,
            clusters: clusters.as_chunks().0,
            scores,
            merges: merges.as_chunks().0,
            merged,
            pairs,
            bytes,
        }
    }

    pub const fn field(&self, field: Field) -> u32 {
        self.header[field as usize]
    }

    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The rank of the piece with this hash that merging can produce, if there is one. Only the hash is compared, so
    /// the answer must be confirmed with [`Table::is_piece`] before it is acted on.
    #[inline]
    pub fn merged_rank(&self, hash: u64) -> Option<u32> {
        self.find(hash, MERGED)
    }

    /// Whether the piece of this rank is `text`.
    #[inline]
    pub fn is_piece(&self, rank: u32, text: &str) -> bool {
        self.piece(self.id(rank)) == Some(text.as_bytes())
    }

    #[inline]
    pub fn id(&self, rank: u32) -> u32 {
        word(self.ids, rank as usize)
    }

    /// The bytes of the piece; `None` if the vocabulary has no such id.
    #[inline]
    pub fn piece(&self, id: u32) -> Option<&'static [u8]> {
        let end = u32::from_le_bytes(*self.ends.get(id as usize)?) & !SPECIAL;
        let start = if id == 0 { 0 } else { word(self.ends, id as usize - 1) & !SPECIAL };
        Some(&self.bytes[start as usize..end as usize])
    }

    /// Whether the piece is a control piece; false for an id beyond the vocabulary.
    pub fn is_special(&self, id: u32) -> bool {
        self.ends.get(id as usize).is_some_and(|end| u32::from_le_bytes(*end) & SPECIAL != 0)
    }

    /// What the normaliser makes of a character. The blob must have a table of characters.
    #[inline]
    pub fn entry(&self, c: char) -> Entry {
        let page = word(self.page_numbers, c as usize / PAGE) as usize;
        Entry(word(self.pages, page * PAGE + c as usize % PAGE))
    }

    /// The characters from `start` on that others are replaced by.
    pub fn mapped(&self, start: usize) -> impl Iterator<Item = char> + use<> {
        let mapped = self.mapped[start..].iter().map(|c| u32::from_le_bytes(*c));
        mapped.take_while(|&c| c != 0).filter_map(char::from_u32)
    }

    /// Where the characters begin that replace this grapheme cluster: those of the shortest sequence of several
    /// characters that it begins with and that are replaced as one.
    pub fn cluster(&self, cluster: &str) -> Option<usize> {
        let ends = cluster.char_indices().skip(1).map(|(at, c)| at + c.len_utf8());
        ends.take_while(|&end| end <= Cluster::MAX_BYTES).find_map(|end| {
            let key = Cluster::key(&cluster[..end]);
            let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
            let at = self.clusters.partition_point(|bytes| number(bytes) < key);
            Cluster(number(self.clusters.get(at)?)).mapping(key)
        })
    }

    /// The score of the piece with this rank. The blob must have scores.
    #[inline]
    pub fn score(&self, rank: u32) -> f32 {
        f32::from_bits(word(self.scores, rank as usize))
    }

    /// The place among all merges of the one that joins these pieces; [`NONE`] if there is none. The blob must have
    /// merges.
    #[inline]
    pub fn merge(&self, left: u32, right: u32) -> u32 {
        if self.merges.is_empty() {
            return NONE;
        }
        let mut slot = Merge::slot(left, right, self.field(Field::MergeBits));
        loop {
            let merge = Merge(u64::from_le_bytes(self.merges[slot]));
            if let Some(order) = merge.order_of(left, right) {
                return order;
            }
            if merge == Merge::EMPTY {
                return NONE;
            }
            slot = (slot + 1) & (self.merges.len() - 1);
        }
    }

    /// The id that a merge gives.
    #[inline]
    pub fn merged(&self, order: u32) -> u32 {
        word(self.merged, order as usize)
    }

    /// The id of the piece for one byte.
    pub fn byte_id(&self, byte: u8) -> Option<u32> {
        Some(word(self.byte_ids, byte as usize)).filter(|&id| id != NONE)
    }

    /// Whether the two characters may stand side by side in some piece. A "no" is certain, a "yes" is not.
    #[inline]
    pub fn may_join(&self, left: char, right: char) -> bool {
        let bit = pair_bit(left, right, self.field(Field::PairBits));
        word(self.pairs, bit / 32) >> (bit % 32) & 1 != 0
    }

    /// The id and length of the longest piece that `text` begins with, of those that are cut out of raw text.
    #[inline]
    pub fn cut_at(&self, text: &str) -> Option<(u32, usize)> {
        self.flagged_at(text, CUT)
    }

    /// The same of those that are cut out of composed text.
    #[inline]
    pub fn cut_later_at(&self, text: &str) -> Option<(u32, usize)> {
        self.flagged_at(text, CUT_LATER)
    }

    #[inline]
    fn flagged_at(&self, text: &str, flag: u32) -> Option<(u32, usize)> {
        let first = *text.as_bytes().first()? as usize;
        let (start, end) = (word(self.cut_starts, first), word(self.cut_starts, first + 1));
        if start == end {
            None
        } else {
            self.longest_cut(text, flag, &self.cut_lengths[start as usize..end as usize])
        }
    }

    fn longest_cut(&self, text: &str, flag: u32, lengths: Words) -> Option<(u32, usize)> {
        let mut lengths =
            lengths.iter().map(|length| u32::from_le_bytes(*length) as usize).peekable();
        let (mut hash, mut last, mut longest) = (0, None, None);
        for (start, c) in text.char_indices() {
            if last.is_some_and(|last| !self.may_join(last, c)) {
                break;
            }
            last = Some(c);
            hash = extend(hash, c);
            let length = start + c.len_utf8();
            while lengths.next_if(|&next| next < length).is_some() {}
            match lengths.peek() {
                Some(&next) if next == length => {
                    let rank =
                        self.find(hash, flag).filter(|&rank| self.is_piece(rank, &text[..length]));
                    longest = rank.map(|rank| (self.id(rank), length)).or(longest);
                }
                Some(_) => {}
                None => break,
            }
        }
        longest
    }

    #[inline]
    fn find(&self, hash: u64, flag: u32) -> Option<u32> {
        let HashPlace { mut slot, fingerprint } =
            HashPlace::of(hash, self.field(Field::Seed), self.field(Field::SlotBits));
        loop {
            let entry = u64::from_le_bytes(self.slots[slot]);
            let (found, value) = (entry as u32, (entry >> 32) as u32);
            if value == NONE {
                return None;
            }
            if found == fingerprint {
                return (value & flag != 0).then_some(value & RANK_MASK);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

/// `POWERS[n]` is `BASE^n`, for the hash of a substring.
pub static POWERS: [u64; MAX_MERGED_CHARS + 1] = {
    let mut powers = [1u64; MAX_MERGED_CHARS + 1];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1].wrapping_mul(BASE);
        n += 1;
    }
    powers
};

#[inline]
fn word(words: Words, i: usize) -> u32 {
    u32::from_le_bytes(words[i])
}

const fn words(bytes: &'static [u8], n: usize) -> (Words, &'static [u8]) {
    let (section, rest) = bytes.split_at(n);
    (section.as_chunks().0, rest)
}
