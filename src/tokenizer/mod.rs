//! Text to token ids, over the table that the build made of the model's vocabulary.
//!
//! Pieces such as `<bos>` or runs of newlines are cut out of the raw text first. In the rest every space becomes
//! U+2581, and neighbouring pieces are merged, the pair with the best result first, until no pair makes a piece. The
//! text is read once from its beginning and cut wherever no merge can cross (`split`), so what is merged at a time
//! (`bpe`) is usually a word, and reading can stop early.
//!
//! What this module must never do: parse the vocabulary or allocate for it at start, panic on a text, take more than
//! `n log n` time for one.
//!
//! The ids are those of the model's original tokenizer (Hugging Face `tokenizers`) but for pieces that the GGUF file
//! does not hold: of EmbeddingGemma's the file lacks `<image_soft_token>`, id 262,144.

mod bpe;
mod split;
mod table;

use monomorph_spec::vocab_layout::{Field, NONE};
use table::Table;

/// The tokenizer of one vocabulary; a view of constants, cheap to copy.
#[derive(Clone, Copy)]
pub struct Tokenizer {
    table: Table,
}

/// A text's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// At most as many ids as the limit allows, with the marks for begin and end that the model wants.
    pub ids: Vec<u32>,
    /// Number of tokens left out to keep to the limit.
    pub dropped: usize,
    /// False where the text was so long that counting stopped: then at least `dropped` tokens were left out.
    pub dropped_is_exact: bool,
}

/// Counting of tokens goes on to this many times the limit.
const COUNT_TO: usize = 4;

/// Keeps positions in a segment's bytes within 32 bits, whatever the limit.
const MAX_SEGMENT_CHARS: usize = 1 << 28;

impl Tokenizer {
    /// The tokenizer over a blob made by the build.
    ///
    /// # Panics
    /// If the blob was not made by this version; for a constant the compiler says so.
    pub const fn new(blob: &'static [u8]) -> Self {
        Tokenizer { table: Table::new(blob) }
    }

    /// The text's ids, `limit` of them at most: over it, the first `limit - 1` and the end mark in the last place.
    ///
    /// Time and memory are bounded by the limit, not by the text: reading stops once `4 * limit` tokens are counted,
    /// or when a stretch without any place to cut is `2 * limit` times as long as the longest piece. Such a stretch
    /// alone makes at least `2 * limit` tokens. It is merged without its continuation, which could change ids before
    /// the limit only through a chain of merges that each hinge on the next one and run back over half the stretch.
    pub fn encode(&self, text: &str, limit: usize) -> Encoding {
        let mut ids = Vec::new();
        let [bos, eos] = [Field::Bos, Field::Eos]
            .map(|mark| Some(self.table.field(mark)).filter(|&id| id != NONE));
        ids.extend(bos);
        let longest = self.table.field(Field::LongestMerged) as usize;
        let bounds = split::Bounds {
            tokens: limit.saturating_mul(COUNT_TO),
            segment_chars: limit
                .saturating_mul(2)
                .saturating_mul(longest)
                .clamp(longest, MAX_SEGMENT_CHARS),
        };
        let complete = split::tokenize(&self.table, text, bounds, &mut ids);
        ids.extend(eos);
        let dropped = ids.len().saturating_sub(limit);
        ids.truncate(limit);
        if let (true, Some(last), Some(eos)) = (dropped > 0, ids.last_mut(), eos) {
            *last = eos;
        }
        Encoding { ids, dropped, dropped_is_exact: complete }
    }

    /// The piece with this id as the vocabulary writes it, with U+2581 for a space; none beyond the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&'static [u8]> {
        self.table.piece(id)
    }

    /// Number of pieces in the vocabulary.
    pub fn n_vocab(&self) -> usize {
        self.table.field(Field::NVocab) as usize
    }
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
