//! The tokenizer written directly after its definition, over the pieces as a GGUF file lists them: slow, and without
//! tables, hashes, segments or heaps. Tests compare the real tokenizer with it.

use std::collections::HashMap;

use monomorph_gguf::{Piece, PieceKind};

pub struct Naive {
    /// Normal pieces with their id and score.
    normal: HashMap<String, (u32, f32)>,
    /// Pieces cut out of the raw text.
    cut: HashMap<String, u32>,
    /// Ids of runs of U+2581, by length in characters.
    runs: HashMap<usize, u32>,
    bytes: HashMap<u8, u32>,
    unknown: Option<u32>,
}

impl Naive {
    pub fn new(pieces: &[Piece<'_>], unknown: Option<u32>) -> Self {
        let (normal, cut, runs, bytes) = Default::default();
        let mut naive = Naive { normal, cut, runs, bytes, unknown };
        for (id, piece) in (0u32..).zip(pieces) {
            let text =
                String::from_utf8(piece.bytes.to_vec()).expect("test vocabularies are UTF-8");
            let n_chars = text.chars().count();
            let is_run = n_chars > 1 && text.chars().all(|c| c == ' ');
            match piece.kind {
                PieceKind::Normal => _ = naive.normal.insert(text, (id, piece.score)),
                PieceKind::Byte => _ = naive.bytes.insert(piece.byte().expect("a byte"), id),
                PieceKind::Unused => {}
                _ if is_run => _ = naive.runs.insert(n_chars, id),
                _ => _ = naive.cut.insert(text, id),
            }
        }
        for (&n_chars, &id) in &naive.runs {
            naive.cut.insert("\u{2581}".repeat(n_chars), id);
        }
        naive
    }

    /// The ids of the text, without begin and end tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            let found = self
                .cut
                .iter()
                .filter(|(piece, _)| rest.starts_with(*piece))
                .max_by_key(|(piece, _)| piece.len());
            if let Some((piece, &id)) = found {
                self.encode_rest(&text[from..at], &mut ids);
                ids.push(id);
                at += piece.len();
                from = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.encode_rest(&text[from..], &mut ids);
        ids
    }

    /// Encodes text without cut-out pieces. Its runs of spaces become pieces first, from the left, each as long as
    /// possible.
    fn encode_rest(&self, text: &str, ids: &mut Vec<u32>) {
        let text: Vec<char> = text.replace(' ', "\u{2581}").chars().collect();
        let mut tokens: Vec<String> = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let run = text[at..].iter().take_while(|&&c| c == '\u{2581}').count();
            let length = (2..=run).rev().find(|length| self.runs.contains_key(length)).unwrap_or(1);
            tokens.push(text[at..at + length].iter().collect());
            at += length;
        }
        self.merge(&mut tokens);
        for token in tokens {
            self.emit(&token, ids);
        }
    }

    fn merge(&self, tokens: &mut Vec<String>) {
        loop {
            let mut best: Option<(f32, usize)> = None;
            for i in 1..tokens.len() {
                let merged = format!("{}{}", tokens[i - 1], tokens[i]);
                let score = self.normal.get(&merged).map(|&(_, score)| score);
                if score > best.map(|(highest, _)| highest) {
                    best = score.map(|score| (score, i));
                }
            }
            let Some((_, i)) = best else { return };
            let right = tokens.remove(i);
            tokens[i - 1].push_str(&right);
        }
    }

    fn emit(&self, token: &str, ids: &mut Vec<u32>) {
        let run = token.chars().count();
        if let Some(&(id, _)) = self.normal.get(token) {
            ids.push(id);
        } else if let (true, Some(&id)) =
            (token.chars().all(|c| c == '\u{2581}'), self.runs.get(&run))
        {
            ids.push(id);
        } else {
            let bytes: Option<Vec<u32>> =
                token.bytes().map(|byte| self.bytes.get(&byte).copied()).collect();
            ids.extend(bytes.unwrap_or_else(|| self.unknown.into_iter().collect()));
        }
    }
}
