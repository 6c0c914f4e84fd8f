//! The beginning that texts share, computed once.
//!
//! In a causal model no token sees what follows it. The keys and values of an instruction that stands before every query
//! are therefore the same in every text, and where only the last token makes the vector, nothing else of the instruction
//! is needed. A token's bits do not depend on which pass computed the keys that it sees.

use crate::kernels::attention::KeysValues;
use std::sync::Arc;

/// The fewest tokens that are worth a pass of their own.
const FEWEST: usize = 8;
/// Longer prefixes are cut: they take memory in every layer.
const MOST: usize = 256;

/// The keys and values of some tokens in every layer.
#[derive(Debug)]
pub struct Prefix {
    ids: Vec<u32>,
    layers: Vec<[Vec<f32>; 2]>,
}

/// The first tokens of a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a> {
    prefix: &'a Prefix,
    tokens: usize,
}

impl Prefix {
    /// A prefix of which no layer is known yet.
    pub(crate) fn new(ids: &[u32]) -> Prefix {
        Prefix { ids: ids.to_vec(), layers: Vec::new() }
    }

    /// Adds the next layer's keys and values.
    pub(crate) fn push(&mut self, keys: &[f32], values: &[f32]) {
        self.layers.push([keys.to_vec(), values.to_vec()]);
    }

    /// The part of it that all texts begin with, if it saves more than it costs. Each text has a token more.
    pub fn of(&self, texts: &[&[u32]]) -> Option<Before<'_>> {
        let tokens = shared(&self.ids, texts);
        (tokens >= FEWEST).then_some(Before { prefix: self, tokens })
    }
}

impl<'a> Before<'a> {
    /// The number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The keys and values of a layer, with `n_kv` values each.
    pub(crate) fn layer(&self, layer: usize, n_kv: usize) -> KeysValues<'a> {
        let [keys, values] = &self.prefix.layers[layer];
        let end = self.tokens * n_kv;
        KeysValues { n: self.tokens, keys: &keys[..end], values: &values[..end] }
    }
}

/// What is remembered between requests.
#[derive(Default)]
pub struct Memory {
    prefix: Option<Arc<Prefix>>,
    /// The first ids of the last request's first text.
    last: Vec<u32>,
}

impl Memory {
    /// The ids of a prefix that should be computed before these texts, if there is one: what they share with each other,
    /// or a single one with the text before it.
    pub fn wanted(&mut self, texts: &[&[u32]]) -> Option<Vec<u32>> {
        let (first, rest) = texts.split_first()?;
        let known = self.known(texts).map_or(0, |before| before.tokens);
        let first = &first[..first.len().min(MOST)];
        let found = match rest {
            [] => shared(&self.last, texts),
            rest => shared(first, rest).min(first.len() - 1),
        };
        self.last.clear();
        self.last.extend(first);
        (found >= FEWEST && found > known + FEWEST).then(|| first[..found].to_vec())
    }

    /// Remembers a prefix, in place of the one before.
    pub fn keep(&mut self, prefix: Prefix) {
        self.prefix = Some(Arc::new(prefix));
    }

    /// The prefix that is remembered.
    pub fn prefix(&self) -> Option<Arc<Prefix>> {
        self.prefix.clone()
    }

    /// What is known of the beginning of these texts.
    pub fn known(&self, texts: &[&[u32]]) -> Option<Before<'_>> {
        self.prefix.as_ref()?.of(texts)
    }
}

/// The number of tokens of `ids` that every text begins with, short of its last.
fn shared(ids: &[u32], texts: &[&[u32]]) -> usize {
    let common = |text: &&[u32]| {
        let equal = ids.iter().zip(*text).take_while(|(a, b)| a == b).count();
        equal.min(text.len() - 1)
    };
    texts.iter().map(common).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTRUCTION: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

    fn text(end: &[u32]) -> Vec<u32> {
        [&INSTRUCTION, end].concat()
    }

    #[test]
    fn texts_of_a_request_share_their_beginning() {
        let [a, b] = [text(&[20, 21]), text(&[22])];
        let mut memory = Memory::default();
        assert_eq!(memory.wanted(&[&a, &b]), Some(INSTRUCTION.to_vec()));
        memory.keep(Prefix::new(&INSTRUCTION));
        assert_eq!(memory.known(&[&a, &b]).map(|before| before.tokens), Some(10));
        assert_eq!(memory.wanted(&[&a, &b]), None, "it is known");
        // Of a text that ends where the prefix ends, the last token is left.
        assert_eq!(memory.known(&[&INSTRUCTION]).map(|before| before.tokens), Some(9));
        assert!(memory.known(&[&a, &[1, 2, 3]]).is_none());
        // Equal texts share all but their last token.
        assert_eq!(Memory::default().wanted(&[&a, &a]), Some(a[..11].to_vec()));
    }

    #[test]
    fn a_single_text_shares_it_with_the_one_before() {
        let [a, b, c] = [text(&[20, 21]), text(&[22]), text(&[23])];
        let mut memory = Memory::default();
        assert_eq!(memory.wanted(&[&a]), None);
        assert_eq!(memory.wanted(&[&b]), Some(INSTRUCTION.to_vec()));
        memory.keep(Prefix::new(&INSTRUCTION));
        assert_eq!(memory.wanted(&[&c]), None);
        assert!(memory.known(&[&c]).is_some());
        assert_eq!(memory.wanted(&[&[9, 9, 9]]), None);
    }

    #[test]
    fn long_prefixes_are_cut() {
        let ids: Vec<u32> = (0..1000).collect();
        assert_eq!(Memory::default().wanted(&[&ids, &ids]).map(|ids| ids.len()), Some(MOST - 1));
    }
}
