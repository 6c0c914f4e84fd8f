//! Turns text into token ids, with the table that the build made from the model's vocabulary.
//!
//! Special pieces such as `<bos>` are cut out of the raw text first. What happens to the rest is the vocabulary's
//! algorithm:
//!
//! - *BPE by scores*: every space becomes U+2581, and neighbouring pieces are merged, the pair with the best result first, until
//!   no pair forms a piece. The text is read once from its beginning and split wherever no merge can cross (`split`).
//!   What is merged at a time (`bpe`) is therefore usually a word, and reading can stop early.
//! - *WordPiece* (`wordpiece`): the text is normalised, and each word is cut into the longest pieces.
//! - *Unigram* (`unigram`): the text is normalised, and each word is cut into the pieces with the highest sum of scores.
//! - *Listed merges* (`listed`): as with *merges*, but the order is that of a list of pairs.
//! - *Byte-level BPE* (`byte_level`): the text is composed and split into words by a pattern (`pattern`), and the bytes of
//!   each word are merged, the pair that is listed first before all others.
//!
//! What this module must never do: parse the vocabulary or allocate for it at start, panic on a text, take more than
//! `O(n log n)` time for one.
//!
//! The ids are those of the model's original tokenizer (Hugging Face `tokenizers`), except for pieces that the GGUF
//! file does not contain.

mod bpe;
mod byte_level;
mod decode;
mod listed;
mod pattern;
mod split;
mod table;
mod unigram;
mod wordpiece;

use monomorph_spec::vocab_layout::{Field, NONE};
use table::{Algorithm, Table};

/// The tokenizer of one vocabulary: a view of constant data, cheap to copy.
#[derive(Clone, Copy)]
pub struct Tokenizer {
    table: Table,
}

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// At most as many ids as the limit allows, including the begin and end tokens that the model wants.
    pub ids: Vec<u32>,
    /// Number of tokens that were dropped to stay within the limit.
    pub dropped: usize,
    /// False if the text was so long that counting stopped. In that case at least `dropped` tokens were dropped.
    pub dropped_is_exact: bool,
}

/// How reading a text goes on. An algorithm asks after each character, telling how many characters are still open: those
/// whose pieces depend on what follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    /// All but so many of the open characters are dropped.
    KeepLast(usize),
    Stop,
}

/// Tokens are counted up to this many times the limit.
const COUNT_TO: usize = 4;

/// Keeps byte positions in a segment within 32 bits, whatever the limit.
const MAX_SEGMENT_CHARS: usize = 1 << 28;

/// Where the end of a text is kept, so many characters of a stretch without any place to cut are merged as a whole:
/// about 100 bytes of memory for each.
const MAX_WHOLE_CHARS: usize = 1 << 20;

impl Tokenizer {
    /// The tokenizer for a blob made by the build.
    ///
    /// # Panics
    /// If the blob was not made by this version. For a constant this is a compile-time error.
    pub const fn new(blob: &'static [u8]) -> Self {
        Tokenizer { table: Table::new(blob) }
    }

    /// The ids of the text, at most `limit` of them. A longer text keeps its first ids; if the model wants an end
    /// token, that takes the last place.
    ///
    /// Memory is bounded by the limit, and so is the time for text that makes tokens; where the tokenizer drops white
    /// space, it reads that to its end, and WordPiece a word of any length. Reading stops once `4 * limit` tokens are
    /// counted, or when a stretch without any place to split is `2 * limit` times as long as the longest piece. Such a
    /// stretch alone makes at least `2 * limit` tokens (more than `limit`, where it is composed to fewer characters). It is
    /// cut without the text that follows it. That text could change ids before the limit only through a chain of merges,
    /// each dependent on the next, that reaches back over half the stretch.
    pub fn encode(&self, text: &str, limit: usize) -> Encoding {
        let [begin, end] = self.marks();
        let mut ids = Vec::from_iter(begin);
        let tokens = limit.saturating_mul(COUNT_TO);
        let chars = self.chars_of(limit).min(MAX_SEGMENT_CHARS);
        let complete = self.tokenize(text, &mut ids, |open, ids| {
            if ids.len() > tokens || open >= chars { Next::Stop } else { Next::Read }
        });
        ids.extend(end);
        let dropped = ids.len().saturating_sub(limit);
        ids.truncate(limit);
        if let (true, Some(last), Some(end)) = (dropped > 0, ids.last_mut(), end) {
            *last = end;
        }
        Encoding { ids, dropped, dropped_is_exact: complete }
    }

    /// The text's ids, `limit` of them at most: over it, the marks and, between them, the last of all others.
    ///
    /// What the last tokens are depends on everything before them, so the text is read from its beginning to its end:
    /// time grows with the text, memory with the limit only. A stretch without any place to cut is merged as a whole up
    /// to 2^20 characters (or `2 * limit` times the longest piece, if that is more), and of one that is twice as long
    /// only the end is; then `dropped` is no longer exact.
    pub fn encode_end(&self, text: &str, limit: usize) -> Encoding {
        let [begin, end] = self.marks();
        let n_marks = usize::from(begin.is_some()) + usize::from(end.is_some());
        // Where there is no room for both marks, the end has it, as where the beginning of a text is kept.
        let n_kept = limit.saturating_sub(n_marks);
        let begin = begin.filter(|_| limit >= n_marks);
        let chars = self.chars_of(limit).clamp(MAX_WHOLE_CHARS, MAX_SEGMENT_CHARS / 2);
        let (mut ids, mut dropped, mut exact) = (Vec::new(), 0, true);
        let mut keep_last = |ids: &mut Vec<u32>, n: usize| {
            let over = ids.len().saturating_sub(n);
            dropped += over;
            ids.drain(..over);
        };
        let enough = 2 * n_kept.max(1024);
        self.tokenize(text, &mut ids, |open, ids| {
            if ids.len() > enough {
                keep_last(ids, n_kept);
            }
            if open < 2 * chars {
                return Next::Read;
            }
            exact = false;
            Next::KeepLast(chars)
        });
        keep_last(&mut ids, n_kept);
        let mut kept = Vec::from_iter(begin);
        kept.append(&mut ids);
        kept.extend(end.filter(|_| limit > 0));
        dropped += n_marks.saturating_sub(limit);
        Encoding { ids: kept, dropped, dropped_is_exact: exact }
    }

    /// Appends the text's ids, without the marks. False when the text was not read to its end.
    fn tokenize(
        &self,
        text: &str,
        ids: &mut Vec<u32>,
        mut next: impl FnMut(usize, &mut Vec<u32>) -> Next,
    ) -> bool {
        let (table, next) = (&self.table, &mut next);
        match table.algorithm() {
            Algorithm::ScoredBpe => split::tokenize::<bpe::Segment>(table, text, ids, next),
            Algorithm::ListedMerges => {
                split::tokenize::<listed::Characters>(table, text, ids, next)
            }
            Algorithm::WordPiece => wordpiece::tokenize(table, text, ids, next),
            Algorithm::Unigram => unigram::tokenize(table, text, ids, next),
            Algorithm::ByteLevel(split) => byte_level::tokenize(table, split, text, ids, next),
        }
    }

    /// The marks that the model wants around a text.
    fn marks(&self) -> [Option<u32>; 2] {
        [Field::Bos, Field::Eos].map(|mark| Some(self.table.field(mark)).filter(|&id| id != NONE))
    }

    /// So many characters without a place to cut make at least `2 * limit` tokens.
    fn chars_of(&self, limit: usize) -> usize {
        let longest = self.table.field(Field::LongestMerged) as usize;
        limit.saturating_mul(2).saturating_mul(longest).max(longest)
    }

    /// The piece with this id as the vocabulary writes it, with U+2581 for a space; none beyond the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&'static [u8]> {
        self.table.piece(id)
    }

    /// Whether the piece is a control piece such as `<bos>`, which stands for no text.
    pub fn is_special(&self, id: u32) -> bool {
        self.table.is_special(id)
    }

    /// Number of pieces in the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.table.field(Field::NVocab) as usize
    }
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod naive_byte_level;
#[cfg(test)]
mod naive_listed;
#[cfg(test)]
mod naive_unigram;
#[cfg(test)]
mod naive_wordpiece;
#[cfg(test)]
mod tests;
