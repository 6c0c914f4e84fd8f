//! Merges the characters of a segment into pieces.
//!
//! Of all neighbouring pairs that form a piece together, the pair whose piece has the lowest rank is merged first, and
//! the leftmost of several, until no pair forms a piece. (The reference ranks pairs, not pieces: of two pairs that form
//! the same piece, the one with the longer left part goes first. No text or vocabulary was found in which that differs
//! from taking the leftmost.)
//!
//! 1. A pair is two positions in the segment. Its hash is computed from the hashes of two prefixes of the segment with
//!    one multiplication, however long the pair is.
//! 2. A pair is looked up in the table once, by its hash alone; the bytes are compared when the pair is merged.
//! 3. Short segments, which nearly all are, keep their pairs in an array and scan it. Long ones keep them in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use monomorph_spec::vocab_layout::{Field, NONE, extend};

use super::split;
use super::table::{POWERS, Table};

/// Segments of up to this many characters are scanned. On an AMD EPYC (Zen 5), random letters in words of 8 take 40 ns
/// per character by scan and 71 ns by heap; in words of 128 they take 72 and 89 ns, and in words of 200 both take the
/// same.
const SCAN_CHARS: usize = 128;

/// Characters to be merged; reused from segment to segment.
#[derive(Default)]
pub struct Segment {
    text: String,
    chars: Vec<Char>,
    tokens: Vec<Token>,
}

/// The end of a character in the segment's bytes, and the hash of the segment up to there.
#[derive(Clone, Copy)]
struct Char {
    end: u32,
    hash: u64,
}

/// A piece that merging may still extend.
#[derive(Clone, Copy)]
struct Token {
    /// The index of its first character.
    start: u32,
    /// The rank of its piece; [`NONE`] for a single character, which has not been looked up yet.
    rank: u32,
    /// The rank of the piece that it forms with the next token; [`NONE`] if they form no piece.
    pair: u32,
}

impl split::Segment for Segment {
    #[inline]
    fn push(&mut self, c: char) {
        let hash = extend(self.hash_before(self.chars.len()), c);
        self.text.push(c);
        self.chars.push(Char { end: self.text.len() as u32, hash });
    }

    fn n_chars(&self) -> usize {
        self.chars.len()
    }

    fn keep_last(&mut self, n_chars: usize) {
        let Some(before) = self.chars.len().checked_sub(n_chars + 1) else { return };
        let kept = self.text.split_off(self.chars[before].end as usize);
        self.text.clear();
        self.chars.clear();
        kept.chars().for_each(|c| self.push(c));
    }

    fn merge_into(&mut self, table: &Table, ids: &mut Vec<u32>) {
        if self.chars.len() <= SCAN_CHARS {
            self.merge_by_scan(table);
        } else {
            self.merge_by_heap(table);
        }
        for i in 0..self.tokens.len() {
            let Token { start, rank, .. } = self.tokens[i];
            self.emit(table, start as usize, rank, ids);
        }
        self.text.clear();
        self.chars.clear();
        self.tokens.clear();
    }
}

impl Segment {
    fn merge_by_scan(&mut self, table: &Table) {
        let n = self.chars.len();
        let mut tokens = std::mem::take(&mut self.tokens);
        for start in 0..n {
            let pair = self.pair(table, start, start + 2);
            tokens.push(Token { start: start as u32, rank: NONE, pair });
        }
        // The last token ends at `n`, where the next one would start. A position after that lies outside the segment,
        // and `pair` refuses it.
        let start_of = |tokens: &[Token], i: usize| match tokens.get(i) {
            Some(token) => token.start as usize,
            None => n + (i - tokens.len()),
        };
        while let Some((i, pair)) = first_best(&tokens) {
            let (start, end) = (tokens[i].start as usize, start_of(&tokens, i + 2));
            if !table.is_piece(pair, self.slice(start, end)) {
                tokens[i].pair = NONE;
                continue;
            }
            tokens.remove(i + 1);
            tokens[i].rank = pair;
            tokens[i].pair = self.pair(table, start, start_of(&tokens, i + 2));
            if let Some(before) = i.checked_sub(1) {
                tokens[before].pair = self.pair(table, tokens[before].start as usize, end);
            }
        }
        self.tokens = tokens;
    }

    fn merge_by_heap(&mut self, table: &Table) {
        let n = self.chars.len();
        // For the token that starts at each position: its end, the start of its predecessor, and its rank. An end of 0
        // means that no token starts there.
        let mut ends: Vec<usize> = (1..=n).collect();
        let mut befores: Vec<usize> = (0..n).map(|start| start.wrapping_sub(1)).collect();
        let mut ranks = vec![NONE; n];
        let candidate = |start: usize, middle: usize, end: usize| {
            let pair = self.pair(table, start, end);
            (pair != NONE).then_some(Reverse((pair, start, middle, end)))
        };
        let mut heap: BinaryHeap<_> =
            (0..n).filter_map(|start| candidate(start, start + 1, start + 2)).collect();
        while let Some(Reverse((pair, start, middle, end))) = heap.pop() {
            let stale = ends[start] != middle || ends[middle] != end;
            if stale || !table.is_piece(pair, self.slice(start, end)) {
                continue;
            }
            ends[start] = end;
            ends[middle] = 0;
            ranks[start] = pair;
            if let Some(&after) = ends.get(end) {
                befores[end] = start;
                heap.extend(candidate(start, end, after));
            }
            if let Some(&before_end) = ends.get(befores[start]) {
                debug_assert_eq!(before_end, start);
                heap.extend(candidate(befores[start], start, end));
            }
        }
        let starts = (0..n).filter(|&start| ends[start] != 0);
        self.tokens.extend(starts.map(|start| Token {
            start: start as u32,
            rank: ranks[start],
            pair: NONE,
        }));
    }

    /// The rank of the piece that two tokens form which together reach from `start` to `end`, or [`NONE`].
    #[inline]
    fn pair(&self, table: &Table, start: usize, end: usize) -> u32 {
        if end > self.chars.len() || end - start > table.field(Field::LongestMerged) as usize {
            return NONE;
        }
        table.merged_rank(self.hash(start, end)).unwrap_or(NONE)
    }

    /// Appends the id of a token. A single character that is not a piece becomes the pieces of its bytes or, if some
    /// byte has none, the unknown piece.
    fn emit(&self, table: &Table, start: usize, rank: u32, ids: &mut Vec<u32>) {
        if rank != NONE {
            return ids.push(table.id(rank));
        }
        let c = self.slice(start, start + 1);
        if let Some(rank) =
            table.merged_rank(self.hash(start, start + 1)).filter(|&rank| table.is_piece(rank, c))
        {
            return ids.push(table.id(rank));
        }
        if c.bytes().all(|byte| table.byte_id(byte).is_some()) {
            ids.extend(c.bytes().filter_map(|byte| table.byte_id(byte)));
        } else {
            ids.push(table.field(Field::Unknown));
        }
    }

    /// The hash of the characters from `start` to `end`.
    #[inline]
    fn hash(&self, start: usize, end: usize) -> u64 {
        let before = self.hash_before(start).wrapping_mul(POWERS[end - start]);
        self.chars[end - 1].hash.wrapping_sub(before)
    }

    #[inline]
    fn hash_before(&self, start: usize) -> u64 {
        start.checked_sub(1).map_or(0, |last| self.chars[last].hash)
    }

    #[inline]
    fn slice(&self, start: usize, end: usize) -> &str {
        let from = start.checked_sub(1).map_or(0, |last| self.chars[last].end);
        &self.text[from as usize..self.chars[end - 1].end as usize]
    }
}

/// The leftmost of the pairs with the lowest rank.
#[inline]
fn first_best(tokens: &[Token]) -> Option<(usize, u32)> {
    let mut best = (0, NONE);
    for (i, token) in tokens.iter().enumerate() {
        if token.pair < best.1 {
            best = (i, token.pair);
        }
    }
    (best.1 != NONE).then_some(best)
}
