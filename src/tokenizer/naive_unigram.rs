//! The unigram model written directly after its definition, step by step over whole strings. Tests compare the real
//! tokenizer with it.

use std::collections::HashMap;

use monomorph_gguf::{Piece, PieceKind};
use unicode_segmentation::UnicodeSegmentation;

pub struct NaiveUnigram {
    /// Pieces with their ids and scores.
    pieces: HashMap<String, (u32, f64)>,
    specials: HashMap<String, u32>,
    unknown: u32,
    lowest: f64,
    charsmap: Vec<u8>,
}

impl NaiveUnigram {
    /// The map of characters is in SentencePiece's format; empty if there is none.
    pub fn new(pieces: &[Piece<'_>], unknown: u32, charsmap: &[u8]) -> Self {
        let (mut of_text, mut specials) = (HashMap::new(), HashMap::new());
        let mut lowest = 0.0f64;
        for (id, piece) in (0u32..).zip(pieces) {
            if matches!(piece.kind, PieceKind::Unused | PieceKind::Byte) {
                continue;
            }
            let text =
                String::from_utf8(piece.bytes.to_vec()).expect("test vocabularies are UTF-8");
            if piece.kind != PieceKind::Normal {
                specials.insert(text.clone(), id);
            }
            let score = f64::from(piece.score);
            of_text.insert(text, (id, score));
            lowest = lowest.min(score);
        }
        NaiveUnigram { pieces: of_text, specials, unknown, lowest, charsmap: charsmap.to_vec() }
    }

    /// The ids of the text, without begin and end tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            let here = self.specials.iter().filter(|(special, _)| rest.starts_with(*special));
            if let Some((special, &id)) = here.max_by_key(|(special, _)| special.len()) {
                self.encode_rest(&text[from..at], &mut ids);
                ids.push(id);
                at += special.len();
                from = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.encode_rest(&text[from..], &mut ids);
        ids
    }

    fn encode_rest(&self, text: &str, ids: &mut Vec<u32>) {
        let normalized = self.normalize(text);
        for word in normalized.split(char::is_whitespace).filter(|word| !word.is_empty()) {
            let word = if word.starts_with('▁') { word.to_owned() } else { format!("▁{word}") };
            let mut starts: Vec<usize> = word.match_indices('▁').map(|(at, _)| at).collect();
            starts.push(word.len());
            for pair in starts.windows(2) {
                ids.extend(self.cut(&word[pair[0]..pair[1]]));
            }
        }
    }

    fn normalize(&self, text: &str) -> String {
        let mut normalized = String::new();
        for cluster in text.graphemes(true) {
            let whole = if cluster.len() < 6 { self.shortest_key(cluster) } else { None };
            if let Some(value) = whole {
                normalized.push_str(&value);
                continue;
            }
            for c in cluster.chars() {
                let c = c.to_string();
                normalized.push_str(&self.shortest_key(&c).unwrap_or(c));
            }
        }
        normalized
    }

    /// What replaces the shortest key that the text begins with.
    fn shortest_key(&self, text: &str) -> Option<String> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
        let size = word(self.charsmap.get(..4)?) as usize;
        let unit = |i: usize| Some(word(self.charsmap.get(4..4 + size)?.get(4 * i..4 * i + 4)?));
        let offset = |unit: u32| ((unit >> 10) << ((unit & 0x200) >> 6)) as usize;
        let mut at = offset(unit(0)?);
        for &byte in text.as_bytes() {
            at ^= usize::from(byte);
            let here =
                unit(at).filter(|here| byte != 0 && here & 0x8000_00ff == u32::from(byte))?;
            at ^= offset(here);
            if here & 0x100 != 0 {
                let values = &self.charsmap[4 + size + (unit(at)? & 0x7fff_ffff) as usize..];
                let end = values.iter().position(|&byte| byte == 0)?;
                return String::from_utf8(values[..end].to_vec()).ok();
            }
        }
        None
    }

    /// The best way to cut a word: of equal sums, the one found first.
    fn cut(&self, word: &str) -> Vec<u32> {
        let mut best: Vec<Option<(f64, usize, u32)>> = vec![None; word.len() + 1];
        best[0] = Some((0.0, 0, 0));
        for (start, c) in word.char_indices() {
            let before = best[start].expect("every character can be reached").0;
            let mut is_piece = false;
            let mut offer = |end: usize, score: f64, id: u32| {
                let sum = before + score;
                if best[end].is_none_or(|(other, ..)| sum > other) {
                    best[end] = Some((sum, start, id));
                }
            };
            for end in (start + 1..=word.len()).filter(|&end| word.is_char_boundary(end)) {
                if let Some(&(id, score)) = self.pieces.get(&word[start..end]) {
                    offer(end, score, id);
                    is_piece |= end == start + c.len_utf8();
                }
            }
            if !is_piece {
                offer(start + c.len_utf8(), self.lowest - 10.0, self.unknown);
            }
        }
        let (mut ids, mut end) = (Vec::new(), word.len());
        while end > 0 {
            let (_, start, id) = best[end].expect("every character can be reached");
            ids.push(id);
            end = start;
        }
        ids.reverse();
        ids.dedup_by(|after, before| *after == self.unknown && *before == self.unknown);
        ids
    }
}
