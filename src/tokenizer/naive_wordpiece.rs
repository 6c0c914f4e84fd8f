//! WordPiece written directly after its definition, step by step over whole strings, with the categories and
//! decompositions of the crates that the original uses. Tests compare the real tokenizer with it.

use std::collections::HashMap;

use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::WordNormalizer;
use unicode_categories::UnicodeCategories;
use unicode_normalization_alignments::UnicodeNormalization;

pub struct NaiveWordPiece {
    /// Pieces that begin a word, without U+2581.
    beginnings: HashMap<String, u32>,
    /// Pieces that continue a word.
    continuations: HashMap<String, u32>,
    specials: HashMap<String, u32>,
    unknown: u32,
    normalizer: WordNormalizer,
}

impl NaiveWordPiece {
    pub fn new(pieces: &[Piece<'_>], unknown: u32, normalizer: WordNormalizer) -> Self {
        let (beginnings, continuations, specials) = Default::default();
        let mut naive = NaiveWordPiece { beginnings, continuations, specials, unknown, normalizer };
        for (id, piece) in (0u32..).zip(pieces) {
            let text =
                String::from_utf8(piece.bytes.to_vec()).expect("test vocabularies are UTF-8");
            match (piece.kind, text.strip_prefix('\u{2581}')) {
                (PieceKind::Normal, Some(text)) => naive.beginnings.insert(text.to_owned(), id),
                (PieceKind::Normal, None) => naive.continuations.insert(text, id),
                (PieceKind::Unused | PieceKind::Byte, _) => None,
                _ => naive.specials.insert(text, id),
            };
        }
        naive
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
        let text = self.normalize(text);
        for words in text.split(char::is_whitespace) {
            let mut word = String::new();
            for c in words.chars() {
                if c.is_ascii_punctuation() || c.is_punctuation() {
                    self.cut(&std::mem::take(&mut word), ids);
                    self.cut(&c.to_string(), ids);
                } else {
                    word.push(c);
                }
            }
            self.cut(&word, ids);
        }
    }

    fn normalize(&self, text: &str) -> String {
        let is_control = |c: char| !matches!(c, '\t' | '\n' | '\r') && c.is_other();
        let clean = text.chars().filter(|&c| c != '\0' && c != '\u{fffd}' && !is_control(c));
        let mut text: String = clean.map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
        let is_ideograph = |c: char| {
            let blocks = [
                (0x4e00, 0x9fff),
                (0x3400, 0x4dbf),
                (0x20000, 0x2a6df),
                (0x2a700, 0x2b73f),
                (0x2b740, 0x2b81f),
                (0x2b920, 0x2ceaf),
                (0xf900, 0xfaff),
                (0x2f800, 0x2fa1f),
            ];
            blocks.iter().any(|&(first, last)| (first..=last).contains(&u32::from(c)))
        };
        let spaced = |c: char| if is_ideograph(c) { format!(" {c} ") } else { c.to_string() };
        text = text.chars().map(spaced).collect();
        if self.normalizer.strip_accents {
            text = text.nfd().map(|(c, _)| c).filter(|c| !c.is_mark_nonspacing()).collect();
        }
        if self.normalizer.lowercase {
            text = text.chars().flat_map(char::to_lowercase).collect();
        }
        text
    }

    fn cut(&self, word: &str, ids: &mut Vec<u32>) {
        let word: Vec<char> = word.chars().collect();
        let mut cut = Vec::new();
        let mut start = 0;
        while start < word.len() && word.len() <= 100 {
            let found = (start + 1..=word.len()).rev().find_map(|end| {
                let piece: String = word[start..end].iter().collect();
                let pieces = if start == 0 { &self.beginnings } else { &self.continuations };
                pieces.get(&piece).map(|&id| (id, end))
            });
            let Some((id, end)) = found else { break };
            cut.push(id);
            start = end;
        }
        if start == word.len() {
            ids.append(&mut cut);
        } else {
            ids.push(self.unknown);
        }
    }
}
