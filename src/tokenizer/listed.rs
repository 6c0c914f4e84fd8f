//! Merges neighbouring pieces by the vocabulary's list of pairs: of all listed pairs the first one, and the leftmost of
//! several, until none is left.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use monomorph_spec::vocab_layout::{NONE, extend};

use super::split::Segment;
use super::table::Table;

/// Up to so many pieces are merged by scanning for the best pair, more with a heap.
const SCAN: usize = 128;

/// Pieces on their way; reused for their memory.
#[derive(Default)]
pub struct Tokens(Vec<Token>);

/// A piece that merging may still extend.
#[derive(Clone, Copy)]
struct Token {
    id: u32,
    /// The place among all merges of the one with the next token; [`NONE`] if there is none.
    merge: u32,
}

impl Tokens {
    pub fn push(&mut self, id: u32) {
        self.0.push(Token { id, merge: NONE });
    }

    /// Appends what these become, and empties them.
    pub fn merge_into(&mut self, table: &Table, ids: &mut Vec<u32>) {
        if self.0.len() <= SCAN {
            self.merge_by_scan(table);
        } else {
            self.merge_by_heap(table);
        }
        ids.extend(self.0.drain(..).map(|token| token.id));
    }

    fn merge_by_scan(&mut self, table: &Table) {
        let tokens = &mut self.0;
        let merge_at = |tokens: &[Token], i: usize| match tokens.get(i + 1) {
            Some(next) => table.merge(tokens[i].id, next.id),
            None => NONE,
        };
        for i in 0..tokens.len() {
            tokens[i].merge = merge_at(tokens, i);
        }
        while let Some((i, merge)) = first_best(tokens) {
            tokens.remove(i + 1);
            tokens[i].id = table.merged(merge);
            tokens[i].merge = merge_at(tokens, i);
            if let Some(before) = i.checked_sub(1) {
                tokens[before].merge = merge_at(tokens, before);
            }
        }
    }

    fn merge_by_heap(&mut self, table: &Table) {
        let tokens = &mut self.0;
        let n = tokens.len();
        // For the token that starts at each position: its end, and the start of its predecessor. An end of 0 means that
        // no token starts there.
        let mut ends: Vec<usize> = (1..=n).collect();
        let mut befores: Vec<usize> = (0..n).map(|start| start.wrapping_sub(1)).collect();
        let candidate = |tokens: &[Token], start: usize, middle: usize, end: usize| {
            let merge = table.merge(tokens[start].id, tokens[middle].id);
            (merge != NONE).then_some(Reverse((merge, start, middle, end)))
        };
        let mut heap: BinaryHeap<_> =
            (1..n).filter_map(|middle| candidate(tokens, middle - 1, middle, middle + 1)).collect();
        while let Some(Reverse((merge, start, middle, end))) = heap.pop() {
            if ends[start] != middle || ends[middle] != end {
                continue;
            }
            ends[start] = end;
            ends[middle] = 0;
            tokens[start].id = table.merged(merge);
            if let Some(&after) = ends.get(end) {
                befores[end] = start;
                heap.extend(candidate(tokens, start, end, after));
            }
            if ends.get(befores[start]).is_some() {
                heap.extend(candidate(tokens, befores[start], start, end));
            }
        }
        let mut start = 0;
        tokens.retain(|_| {
            start += 1;
            ends[start - 1] != 0
        });
    }
}

/// The leftmost of the merges that come first.
#[inline]
fn first_best(tokens: &[Token]) -> Option<(usize, u32)> {
    let mut best = (0, NONE);
    for (i, token) in tokens.iter().enumerate() {
        if token.merge < best.1 {
            best = (i, token.merge);
        }
    }
    (best.1 != NONE).then_some(best)
}

/// Characters to be merged, where their pieces are listed: a character without a piece becomes those of its bytes.
#[derive(Default)]
pub struct Characters {
    text: String,
    n_chars: usize,
    tokens: Tokens,
}

impl Segment for Characters {
    #[inline]
    fn push(&mut self, c: char) {
        self.text.push(c);
        self.n_chars += 1;
    }

    fn n_chars(&self) -> usize {
        self.n_chars
    }

    fn keep_last(&mut self, n_chars: usize) {
        if n_chars < self.n_chars {
            let first = self.text.char_indices().nth(self.n_chars - n_chars);
            self.text.drain(..first.map_or(self.text.len(), |(at, _)| at));
            self.n_chars = n_chars;
        }
    }

    fn merge_into(&mut self, table: &Table, ids: &mut Vec<u32>) {
        for (at, c) in self.text.char_indices() {
            let character = &self.text[at..at + c.len_utf8()];
            match table.merged_rank(extend(0, c)).filter(|&rank| table.is_piece(rank, character)) {
                Some(rank) => self.tokens.push(table.id(rank)),
                // The build has made sure that every byte has a piece.
                None => {
                    let bytes = character.bytes().filter_map(|byte| table.byte_id(byte));
                    bytes.for_each(|id| self.tokens.push(id));
                }
            }
        }
        self.tokens.merge_into(table, ids);
        self.text.clear();
        self.n_chars = 0;
    }
}
