//! The vocabulary blob: a table that the build writes and the tokenizer reads in place.
//!
//! Both sides take its layout and its hash function from here. All numbers are little-endian `u32`; the sections follow
//! each other without gaps, in the order of [`Sections`]:
//!
//! | section | entries | contents |
//! |---|---|---|
//! | header | 32 | the fields of [`Field`] |
//! | slots | 2 each, `2^SlotBits` | open-addressing hash table: fingerprint, rank with flags [`MERGED`], [`CUT`], [`CUT_LATER`] |
//! | ids | `NRanked` | the id of each rank |
//! | ends | `NVocab` | where each id's piece ends in the section of bytes (it begins where the previous one ends), and the flag [`SPECIAL`] |
//! | byte ids | 256 | the id of each byte's piece, or [`NONE`] |
//! | cut starts | 257 | where each first byte's lengths begin in the next section |
//! | cut lengths | `NCutLengths` | lengths in bytes, ascending, of the cut-out pieces with that first byte |
//! | page numbers | [`N_PAGES`], or 0 without pages | for each 256 characters of Unicode, their page in the next section |
//! | pages | 256 each, `NPages` | what a normaliser makes of each character: see [`characters`](crate::characters) |
//! | mapped | `NMapped` | the characters that others are replaced by; a 0 ends each sequence |
//! | clusters | 2 each, `NClusters` | the grapheme clusters that are replaced as one: see [`Cluster`](crate::characters::Cluster) |
//! | scores | `NScores` | the score of each rank, as the bits of a float32 |
//! | merges | 2 each, `2^MergeBits`, or 0 without merges | open-addressing hash table of listed pairs: see [`Merge`] |
//! | merged | `NMerges` | the id that each merge gives, in their order |
//! | pairs | `2^(PairBits - 5)` | bitmap over hashed pairs of characters that are neighbours in some ranked piece or some result of a merge; for byte-level BPE, in some piece that is cut out |
//! | bytes | `NBytes` bytes | the pieces in the order of their ids |
//!
//! A *rank* is the place of a piece in the order of merging; 0 comes first. Only pieces that tokenizing can produce are
//! ranked: those that merging produces and those that are cut out of the text whole. WordPiece and the unigram model merge
//! nothing: their ranks are in the order of ids, and [`MERGED`] marks the pieces that words are cut into. Nor does the rank
//! matter where merges are listed: [`MERGED`] marks the pieces that a whole word becomes in byte-level BPE, and those of
//! single characters where these are merged.

use crate::characters::{N_PAGES, PAGE};

/// The first field of every blob, "MVOC" in a hex dump.
pub const MAGIC: u32 = u32::from_le_bytes(*b"MVOC");

/// Raised whenever the meaning of a blob changes.
pub const VERSION: u32 = 5;

/// Stands for no id, no rank or an empty slot.
pub const NONE: u32 = u32::MAX;

/// Flag of a slot's value: merging produces this piece.
pub const MERGED: u32 = 1 << 31;

/// Flag of a slot's value: this piece is cut out of the raw text before anything is merged.
pub const CUT: u32 = 1 << 30;

/// Flag of a slot's value: this piece is cut out of the composed text, before it is split into words.
pub const CUT_LATER: u32 = 1 << 29;

/// Flag of a piece's end: it is a control piece or the piece for unknown text, and stands for no text itself.
pub const SPECIAL: u32 = 1 << 31;

/// The bits of a slot's value that hold the rank.
pub const RANK_MASK: u32 = CUT_LATER - 1;

/// The longest piece with the flag [`MERGED`], in characters: the tokenizer has a table of this many powers.
pub const MAX_MERGED_CHARS: usize = 255;

/// What SentencePiece writes for a space.
pub const SPACE: char = '\u{2581}';

/// Fields of the blob's header, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Field {
    /// [`MAGIC`].
    Magic,
    /// [`VERSION`].
    Version,
    /// Number of pieces.
    NVocab,
    /// Number of ranked pieces.
    NRanked,
    /// Base-2 logarithm of the number of slots.
    SlotBits,
    /// Base-2 logarithm of the number of bits in the bitmap of pairs, at least 5.
    PairBits,
    /// Number of lengths of cut-out pieces.
    NCutLengths,
    /// Sum of the pieces' lengths in bytes.
    NBytes,
    /// The seed that makes every fingerprint unambiguous, see [`HashPlace`].
    Seed,
    /// Length of the longest piece that merging produces, in characters.
    LongestMerged,
    /// Id of the piece that begins a text, or [`NONE`] if none is added.
    Bos,
    /// Id of the piece that ends a text, or [`NONE`] if none is added.
    Eos,
    /// Id for a character without a piece and without byte pieces, or [`NONE`] if every byte has a piece.
    Unknown,
    /// 1 if a space is put before the text.
    SpacePrefix,
    /// [`SCORED_BPE`], [`WORD_PIECE`], [`UNIGRAM`], [`GPT2`], [`QWEN2`] or [`LISTED_MERGES`].
    Algorithm,
    /// Number of pages in the table of characters.
    NPages,
    /// Length of the section of mapped characters.
    NMapped,
    /// Number of grapheme clusters that are replaced as one.
    NClusters,
    /// Number of scores: that of ranked pieces, or 0 if scores do not matter once pieces are ranked.
    NScores,
    /// The lowest score of all ranked pieces, or 0 if none is below, as the bits of a float32.
    LowestScore,
    /// Base-2 logarithm of the number of slots for merges.
    MergeBits,
    /// Number of merges; 0 if the ranks of pieces order them.
    NMerges,
    /// Id of the piece that takes the white space before it when it is cut out, or [`NONE`].
    Mask,
}

/// Size of the header in bytes; fields beyond those of [`Field`] are 0.
pub const HEADER_BYTES: usize = 32 * 4;

/// Value of [`Field::Algorithm`]: neighbours are merged, the pair with the best score first.
pub const SCORED_BPE: u32 = 0;

/// Value of [`Field::Algorithm`]: words are cut into the longest pieces.
pub const WORD_PIECE: u32 = 1;

/// Value of [`Field::Algorithm`]: words are cut so that the sum of their pieces' scores is highest.
pub const UNIGRAM: u32 = 2;

/// Value of [`Field::Algorithm`]: listed pairs of bytes are merged, in words of GPT-2's pattern.
pub const GPT2: u32 = 3;

/// Value of [`Field::Algorithm`]: listed pairs of bytes are merged, in words of Qwen2's pattern.
pub const QWEN2: u32 = 4;

/// Value of [`Field::Algorithm`]: listed pairs are merged, beginning with characters.
pub const LISTED_MERGES: u32 = 5;

/// Sizes of the blob's sections in bytes, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sections {
    /// The hash table.
    pub slots: usize,
    /// Ids by rank.
    pub ids: usize,
    /// Ends of the pieces, by id.
    pub ends: usize,
    /// Ids of byte pieces.
    pub byte_ids: usize,
    /// For each first byte, where its lengths begin in the section of cut lengths.
    pub cut_starts: usize,
    /// Lengths of cut-out pieces.
    pub cut_lengths: usize,
    /// Numbers of the pages of characters.
    pub page_numbers: usize,
    /// Pages of characters.
    pub pages: usize,
    /// Characters that others are replaced by.
    pub mapped: usize,
    /// Grapheme clusters that are replaced as one.
    pub clusters: usize,
    /// Scores by rank.
    pub scores: usize,
    /// The hash table of merges.
    pub merges: usize,
    /// What merges give.
    pub merged: usize,
    /// The bitmap of pairs.
    pub pairs: usize,
    /// The pieces themselves.
    pub bytes: usize,
}

impl Sections {
    /// The sections of the blob with this header.
    pub const fn of(header: &[u32; HEADER_BYTES / 4]) -> Self {
        let n_pages = header[Field::NPages as usize] as usize;
        let n_merges = header[Field::NMerges as usize] as usize;
        Sections {
            slots: 8 << header[Field::SlotBits as usize],
            ids: 4 * header[Field::NRanked as usize] as usize,
            ends: 4 * header[Field::NVocab as usize] as usize,
            byte_ids: 4 * 256,
            cut_starts: 4 * 257,
            cut_lengths: 4 * header[Field::NCutLengths as usize] as usize,
            page_numbers: if n_pages == 0 { 0 } else { 4 * N_PAGES },
            pages: 4 * PAGE * n_pages,
            mapped: 4 * header[Field::NMapped as usize] as usize,
            clusters: 8 * header[Field::NClusters as usize] as usize,
            scores: 4 * header[Field::NScores as usize] as usize,
            merges: if n_merges == 0 { 0 } else { 8 << header[Field::MergeBits as usize] },
            merged: 4 * n_merges,
            pairs: 1 << (header[Field::PairBits as usize] - 3),
            bytes: header[Field::NBytes as usize] as usize,
        }
    }
}

/// Base of the polynomial hash in [`extend`].
pub const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a string extended by one character; that of the empty string is 0.
///
/// It is a polynomial modulo 2^64, so the hash of a substring follows from the hashes of two prefixes: `hash(s[i..j]) =
/// hash(s[..j]) - hash(s[..i]) * BASE^(j - i)`, with positions counted in characters.
#[inline]
pub const fn extend(hash: u64, c: char) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(c as u64 + 1)
}

/// The hash of a whole string.
pub fn hash(text: &str) -> u64 {
    text.chars().fold(0, extend)
}

/// Where the search for a string begins in the hash table, and what its slot must hold.
///
/// The search continues with the next slot, wrapping around, until the fingerprint is found or a slot is empty. The
/// seed is chosen so that the search for a ranked piece never meets another piece with the same fingerprint. The first
/// match is therefore the piece, or the string is not a piece; which of the two it is must be confirmed by the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashPlace {
    /// First slot to look at.
    pub slot: usize,
    /// What the slot must hold.
    pub fingerprint: u32,
}

impl HashPlace {
    /// The place of a string with this hash in a table of `2^slot_bits` slots; `slot_bits` is 1 to 32.
    #[inline]
    pub const fn of(hash: u64, seed: u32, slot_bits: u32) -> Self {
        let mixed = (hash ^ seed as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        HashPlace { slot: (mixed >> (64 - slot_bits)) as usize, fingerprint: mixed as u32 }
    }
}

/// The bit of two neighbouring characters in a bitmap of `2^pair_bits` bits; `pair_bits` is 5 to 32.
#[inline]
pub const fn pair_bit(left: char, right: char, pair_bits: u32) -> usize {
    let mixed = (((left as u64) << 21) | right as u64).wrapping_mul(BASE);
    ((mixed ^ (mixed >> 29)).wrapping_mul(BASE) >> (64 - pair_bits)) as usize
}

/// A listed merge in its slot: from the highest bit on, the ids of the left and right piece in 21 bits each, and
/// its place among all merges in 22.
///
/// The search for a pair begins at [`Merge::slot`] and continues with the next slot, wrapping around, until the pair is
/// found or a slot is [`Merge::EMPTY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge(pub u64);

impl Merge {
    /// So many pieces can be told apart.
    pub const MAX_PIECES: usize = 1 << 21;

    /// So many merges can be told apart.
    pub const MAX_MERGES: usize = (1 << 22) - 1;

    /// No merge.
    pub const EMPTY: Merge = Merge(u64::MAX);

    /// The merge of two pieces.
    pub const fn new(left: u32, right: u32, order: u32) -> Merge {
        Merge((left as u64) << 43 | (right as u64) << 22 | order as u64)
    }

    /// The merge's place among all merges, if it is the one of these pieces.
    #[inline]
    pub const fn order_of(self, left: u32, right: u32) -> Option<u32> {
        let order = self.0 ^ Merge::new(left, right, 0).0;
        if order < Merge::MAX_MERGES as u64 { Some(order as u32) } else { None }
    }

    /// The first slot to look at in a table of `2^bits` slots; `bits` is 1 to 32.
    #[inline]
    pub const fn slot(left: u32, right: u32, bits: u32) -> usize {
        let mixed = ((left as u64) << 32 | right as u64).wrapping_mul(BASE);
        ((mixed ^ (mixed >> 32)).wrapping_mul(BASE) >> (64 - bits)) as usize
    }
}
