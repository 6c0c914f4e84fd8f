//! BPE over characters by listed merges, written directly after its definition (Hugging Face `tokenizers`: `Replace` and
//! `BPE` with `byte_fallback`), step by step over whole strings. Tests compare the real tokenizer with it.

use std::collections::HashMap;

use monomorph_gguf::{Piece, PieceKind};

pub struct NaiveListed {
    ids: HashMap<String, u32>,
    /// The place of each pair in the list of merges.
    merges: HashMap<(String, String), usize>,
    /// Tokens that are cut out of the raw text.
    cut: Vec<String>,
}

impl NaiveListed {
    pub fn new(pieces: &[Piece<'_>], merges: &[&[u8]]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("tests have UTF-8");
        let is_cut = |piece: &&Piece<'_>| {
            matches!(piece.kind, PieceKind::Control | PieceKind::Unknown | PieceKind::UserDefined)
        };
        let merges = merges.iter().enumerate().map(|(order, merge)| {
            let merge = text(merge);
            let (left, right) = merge.split_once(' ').expect("a space");
            ((left.to_owned(), right.to_owned()), order)
        });
        let ids = (0u32..).zip(pieces).filter(|(_, piece)| piece.kind != PieceKind::Unused);
        NaiveListed {
            ids: ids.map(|(id, piece)| (text(piece.bytes), id)).collect(),
            merges: merges.collect(),
            cut: pieces.iter().filter(is_cut).map(|piece| text(piece.bytes)).collect(),
        }
    }

    /// The ids of the text, without begin and end tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let (mut ids, mut from, mut at) = (Vec::new(), 0, 0);
        while at < text.len() {
            let here = self.cut.iter().filter(|token| text[at..].starts_with(*token));
            if let Some(token) = here.max_by_key(|token| token.len()) {
                ids.extend(self.merge(&text[from..at]));
                ids.push(self.ids[token]);
                at += token.len();
                from = at;
            } else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        ids.extend(self.merge(&text[from..]));
        ids
    }

    fn merge(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        for c in text.replace(' ', "\u{2581}").chars().map(String::from) {
            if self.ids.contains_key(&c) {
                tokens.push(c);
            } else {
                tokens.extend(c.bytes().map(|byte| format!("<0x{byte:02X}>")));
            }
        }
        loop {
            let pairs = tokens.windows(2).enumerate();
            let listed = pairs.filter_map(|(at, pair)| {
                Some((self.merges.get(&(pair[0].clone(), pair[1].clone()))?, at))
            });
            let Some((_, at)) = listed.min() else { break };
            let right = tokens.remove(at + 1);
            tokens[at].push_str(&right);
        }
        tokens.iter().map(|token| self.ids[token]).collect()
    }
}
