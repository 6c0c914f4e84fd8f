//! SentencePiece's unigram language model, as XLM-RoBERTa's original tokenizer runs it (Hugging Face `tokenizers`:
//! `Precompiled`, `WhitespaceSplit`, `Metaspace`, `Unigram`).
//!
//! ```text
//! at every grapheme cluster of the text:
//!     if a special token begins here:  close the word; emit the token; continue after it
//!     replace the cluster, or each of its characters, by what the normaliser makes of it, and for each of these:
//!         white space closes the word; U+2581 closes it and begins another; all others are appended to it, after a U+2581
//!         where the word begins
//!
//! to close a word:  of all ways to cut it into pieces, take the one with the highest sum of scores (Viterbi)
//! ```
//!
//! A character that is no piece may become the piece for unknown text, for a score below all others; neighbours of that
//! kind become one.
//!
//! No way to cut a word crosses two characters that no piece has side by side, so a word is cut up to there before it is
//! read further. In a long stretch without such a place, what all ways that may still win have in common is cut off.
//! Scores are float32 and their sums float64, which are exact for words of any length that occurs: cutting a word in
//! parts gives the same ids as cutting it whole.

use monomorph_spec::characters::{Cluster, Entry, Place};
use monomorph_spec::vocab_layout::{Field, NONE, SPACE, extend};
use unicode_segmentation::UnicodeSegmentation;

use super::Next;
use super::table::{POWERS, Table};

/// How far the score of unknown text lies below the lowest of all pieces that can be found.
const UNKNOWN_PENALTY: f64 = 10.0;

/// After so many times the longest piece, a stretch is cut as far as its ids are settled. Its end is then looked at
/// again: the more characters, the smaller the part of them.
const SETTLED_AFTER: usize = 16;

/// Appends the text's ids, asking `next` after each cluster or piece how to go on. False when the text was not read to its
/// end.
pub fn tokenize(
    table: &Table,
    text: &str,
    ids: &mut Vec<u32>,
    next: &mut impl FnMut(usize, &mut Vec<u32>) -> Next,
) -> bool {
    let mut word = Word::new(table);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((id, length)) = table.cut_at(rest) {
            word.close(ids);
            ids.push(id);
            rest = &rest[length..];
        } else {
            let (entry, after) = (table.entry(c), &rest[c.len_utf8()..]);
            let stands_alone =
                |next: char| !entry.may_cluster() && !table.entry(next).may_cluster();
            if after.chars().next().is_none_or(stands_alone) {
                word.read(c, entry, ids);
                rest = after;
            } else {
                let cluster = &rest[..cluster_length(table, rest)];
                word.read_cluster(cluster, ids);
                rest = &rest[cluster.len()..];
            }
        }
        match word.ask(next, ids) {
            Next::Read => {}
            Next::KeepLast(n_chars) => word.keep_last(n_chars),
            Next::Stop => break,
        }
    }
    word.close(ids);
    rest.is_empty()
}

/// The length in bytes of the grapheme cluster that the text begins with. A special token ends it too.
fn cluster_length(table: &Table, text: &str) -> usize {
    let cluster = text.graphemes(true).next().unwrap_or_default();
    let mut inside = cluster.char_indices().skip(1);
    inside.find(|&(at, _)| table.cut_at(&text[at..]).is_some()).map_or(cluster.len(), |(at, _)| at)
}

/// The part of a word that is not cut yet.
struct Word<'t> {
    table: &'t Table,
    text: String,
    chars: Vec<Char>,
    /// Whether the part before this one, of the same word, ended in unknown text.
    follows_unknown: bool,
    /// Whether this part begins a word.
    begins: bool,
    /// The best way to each character and to the end: kept for its memory.
    nodes: Vec<Node>,
    /// The number of characters at which the part is cut as far as it is settled.
    settle_at: usize,
}

/// The end of a character in the part's bytes, and the hash of the part up to there.
#[derive(Clone, Copy)]
struct Char {
    c: char,
    end: u32,
    hash: u64,
}

/// The best way to cut a part up to some character.
#[derive(Clone, Copy)]
struct Node {
    score: f64,
    /// Where its last piece begins; [`NONE`] if no way is known.
    start: u32,
    /// The id of its last piece.
    id: u32,
}

impl<'t> Word<'t> {
    fn new(table: &'t Table) -> Self {
        let (text, chars, nodes) = Default::default();
        let settle_at = SETTLED_AFTER * table.field(Field::LongestMerged) as usize;
        Word { table, text, chars, follows_unknown: false, begins: true, nodes, settle_at }
    }

    /// Normalises a cluster and appends the result.
    fn read_cluster(&mut self, cluster: &str, ids: &mut Vec<u32>) {
        let mut chars = cluster.chars();
        let first = chars.next().map(|c| self.table.entry(c));
        let is_one = chars.next().is_none();
        if !is_one && cluster.len() <= Cluster::MAX_BYTES {
            let first = first.and_then(Entry::mapping);
            if let Some(start) = first.or_else(|| self.table.cluster(cluster)) {
                return self.append_mapped(start, ids);
            }
        }
        cluster.chars().for_each(|c| self.read(c, self.table.entry(c), ids));
    }

    /// Normalises a character and appends the result.
    #[inline]
    fn read(&mut self, c: char, entry: Entry, ids: &mut Vec<u32>) {
        match entry.mapping() {
            Some(start) => self.append_mapped(start, ids),
            None => self.append(c, entry, ids),
        }
    }

    fn append_mapped(&mut self, start: usize, ids: &mut Vec<u32>) {
        for c in self.table.mapped(start) {
            self.append(c, self.table.entry(c), ids);
        }
    }

    /// Appends a character of the normalised text.
    #[inline]
    fn append(&mut self, c: char, entry: Entry, ids: &mut Vec<u32>) {
        if entry.place() == Place::Space {
            return self.close(ids);
        }
        if c == SPACE {
            self.close(ids);
        } else if self.begins {
            self.push(SPACE);
        }
        self.begins = false;
        if self.chars.last().is_some_and(|last| !self.table.may_join(last.c, c)) {
            self.cut(ids);
        }
        self.push(c);
        if self.chars.len() >= self.settle_at {
            self.settle(ids);
        }
    }

    #[inline]
    fn push(&mut self, c: char) {
        let hash = extend(self.hash_before(self.chars.len()), c);
        self.text.push(c);
        self.chars.push(Char { c, end: self.text.len() as u32, hash });
    }

    /// How to go on: the number of open characters counts only once all that is settled is cut off, since unknown text of
    /// any length is one id.
    fn ask(
        &mut self,
        next: &mut impl FnMut(usize, &mut Vec<u32>) -> Next,
        ids: &mut Vec<u32>,
    ) -> Next {
        match next(self.chars.len(), ids) {
            Next::Read => Next::Read,
            _ if self.settle(ids) => self.ask(next, ids),
            stop => stop,
        }
    }

    /// Forgets all but the last characters.
    fn keep_last(&mut self, n_chars: usize) {
        let from = self.chars.len().saturating_sub(n_chars);
        let kept: Vec<char> = self.chars[from..].iter().map(|char| char.c).collect();
        self.clear();
        kept.into_iter().for_each(|c| self.push(c));
    }

    /// Appends the ids of the rest of the word. What follows is another word.
    fn close(&mut self, ids: &mut Vec<u32>) {
        self.cut(ids);
        self.follows_unknown = false;
        self.begins = true;
    }

    /// Appends the part's ids. What follows is the same word.
    fn cut(&mut self, ids: &mut Vec<u32>) {
        if self.chars.is_empty() {
            return;
        }
        self.find_best();
        self.emit(self.chars.len(), ids);
        self.clear();
    }

    /// Appends the ids that no text after this can change, and says whether there are any. A piece that ends there may begin at each of the last
    /// characters; the best ways to all of these have their beginning in common. A run of unknown text, which becomes
    /// one id whatever its length, is always in this beginning: its best way leads through each of its characters, and
    /// ways that meet are the same before that.
    fn settle(&mut self, ids: &mut Vec<u32>) -> bool {
        self.find_best();
        let (n, longest) = (self.chars.len(), self.table.field(Field::LongestMerged) as usize);
        let mut common = n;
        for mut other in (n + 1).saturating_sub(longest)..n {
            while common != other {
                let later = if common > other { &mut common } else { &mut other };
                *later = self.nodes[*later].start as usize;
            }
        }
        self.emit(common, ids);
        self.keep_last(n - common);
        self.settle_at = self.settle_at.max(2 * (n - common));
        common > 0
    }

    /// Appends the ids of the best way to the end of character `end - 1`.
    fn emit(&mut self, mut end: usize, ids: &mut Vec<u32>) {
        let before = ids.len();
        while end > 0 {
            let Node { start, id, .. } = self.nodes[end];
            ids.push(id);
            end = start as usize;
        }
        ids[before..].reverse();
        // Neighbouring unknown characters are one piece, in this part and across its beginning.
        let unknown = self.table.field(Field::Unknown);
        let (mut kept, mut follows) = (before, self.follows_unknown);
        for i in before..ids.len() {
            let id = ids[i];
            if id != unknown || !follows {
                ids[kept] = id;
                kept += 1;
            }
            follows = id == unknown;
        }
        ids.truncate(kept);
        self.follows_unknown = follows;
    }

    fn clear(&mut self) {
        self.text.clear();
        self.chars.clear();
    }

    /// Finds the best way to each character: from left to right, and of equal ones the first.
    fn find_best(&mut self) {
        let n = self.chars.len();
        let unknown = self.table.field(Field::Unknown);
        let lowest = f64::from(f32::from_bits(self.table.field(Field::LowestScore)));
        let longest = self.table.field(Field::LongestMerged) as usize;
        self.nodes.clear();
        self.nodes.resize(n + 1, Node { score: 0.0, start: NONE, id: NONE });
        for start in 0..n {
            let mut is_piece = false;
            for end in start + 1..=n.min(start + longest) {
                let Some(rank) = self.table.merged_rank(self.hash(start, end)) else { continue };
                if !self.table.is_piece(rank, self.slice(start, end)) {
                    continue;
                }
                is_piece |= end == start + 1;
                let score = f64::from(self.table.score(rank));
                self.offer(start, end, score, self.table.id(rank));
            }
            if !is_piece {
                self.offer(start, start + 1, lowest - UNKNOWN_PENALTY, unknown);
            }
        }
    }

    /// Offers a piece as the last one on the way to `end`.
    #[inline]
    fn offer(&mut self, start: usize, end: usize, score: f64, id: u32) {
        let score = score + self.nodes[start].score;
        let node = &mut self.nodes[end];
        if node.start == NONE || score > node.score {
            *node = Node { score, start: start as u32, id };
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
