//! Byte-level BPE written directly after its definition, step by step over whole strings. Tests compare the real tokenizer
//! with it.

use std::collections::HashMap;

use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::Split;
use monomorph_spec::byte_alphabet::ALPHABET;
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization_alignments::UnicodeNormalization;

pub struct NaiveByteLevel {
    ids: HashMap<String, u32>,
    /// The place of each pair in the list of merges.
    merges: HashMap<(String, String), usize>,
    split: Split,
    /// Tokens that are cut out of the raw text, and those that are cut out once it is composed.
    cut: Vec<String>,
    cut_later: Vec<String>,
}

impl NaiveByteLevel {
    pub fn new(pieces: &[Piece<'_>], merges: &[&[u8]], split: Split) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("tests have UTF-8");
        let ids = (0u32..).zip(pieces).filter(|(_, piece)| piece.kind != PieceKind::Unused);
        let of_kind = |wanted: &[PieceKind]| {
            let pieces = pieces.iter().filter(|piece| wanted.contains(&piece.kind));
            pieces.map(|piece| text(piece.bytes)).collect::<Vec<String>>()
        };
        let (mut cut, mut cut_later) = (
            of_kind(&[PieceKind::Control, PieceKind::Unknown]),
            of_kind(&[PieceKind::UserDefined]),
        );
        if split == Split::Qwen2 {
            cut.append(&mut cut_later);
        }
        let merges = merges.iter().enumerate().map(|(order, merge)| {
            let merge = text(merge);
            let (left, right) = merge.split_once(' ').expect("a space");
            ((left.to_owned(), right.to_owned()), order)
        });
        NaiveByteLevel {
            ids: ids.map(|(id, piece)| (text(piece.bytes), id)).collect(),
            merges: merges.collect(),
            split,
            cut,
            cut_later,
        }
    }

    /// The ids of the text, without begin and end tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        for part in cut_out(text, &self.cut) {
            let Part::Text(text) = part else {
                ids.push(self.ids[part.token()]);
                continue;
            };
            let composed: String = text.nfc().map(|(c, _)| c).collect();
            for part in cut_out(&composed, &self.cut_later) {
                let Part::Text(text) = part else {
                    ids.push(self.ids[part.token()]);
                    continue;
                };
                let mut rest = text;
                while !rest.is_empty() {
                    let length = word(rest, self.split);
                    ids.extend(self.merge(&rest[..length]));
                    rest = &rest[length..];
                }
            }
        }
        ids
    }

    fn merge(&self, word: &str) -> Vec<u32> {
        let mut tokens: Vec<String> =
            word.bytes().map(|byte| ALPHABET[usize::from(byte)].to_string()).collect();
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

enum Part<'a> {
    Text(&'a str),
    Token(&'a str),
}

impl<'a> Part<'a> {
    fn token(&self) -> &'a str {
        match self {
            Part::Text(text) | Part::Token(text) => text,
        }
    }
}

/// Cuts tokens out of a text: the leftmost first, and the longest of those that begin at the same place. The mask goes with
/// the white space before it.
fn cut_out<'a>(text: &'a str, tokens: &'a [String]) -> Vec<Part<'a>> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at < text.len() {
        let here = tokens.iter().filter(|token| text[at..].starts_with(*token));
        let Some(token) = here.max_by_key(|token| token.len()) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let before = &text[from..at];
        let is_mask = matches!(token.as_str(), "[MASK]" | "<mask>");
        parts.push(Part::Text(if is_mask { before.trim_end() } else { before }));
        parts.push(Part::Token(token));
        at += token.len();
        from = at;
    }
    parts.push(Part::Text(&text[from..]));
    parts
}

/// A part of a pattern.
#[derive(Clone, Copy)]
enum Atom {
    /// This letter, in either case if the pattern says so.
    Letter(char, bool),
    /// From so many up to so many characters of a set, as many as possible.
    Of(fn(char) -> bool, usize, usize),
    /// What follows is no character of this set.
    NotBefore(fn(char) -> bool),
}

/// The length in bytes of the first word, by the first alternative that matches.
fn word(text: &str, split: Split) -> usize {
    const MANY: usize = usize::MAX;
    let ends = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    let any_case = split == Split::Qwen2;
    let contractions =
        ends.iter().map(|end| end.chars().map(|c| Atom::Letter(c, any_case)).collect());
    let mut alternatives: Vec<Vec<Atom>> = contractions.collect();
    let space = |c: char| c == ' ';
    let line_end = |c: char| matches!(c, '\r' | '\n');
    let sign = |c: char| !c.is_whitespace() && !is_letter(c) && !is_number(c);
    let begins_letters = |c: char| !matches!(c, '\r' | '\n') && !is_letter(c) && !is_number(c);
    match split {
        Split::Gpt2 => alternatives.extend([
            vec![Atom::Of(space, 0, 1), Atom::Of(is_letter, 1, MANY)],
            vec![Atom::Of(space, 0, 1), Atom::Of(is_number, 1, MANY)],
            vec![Atom::Of(space, 0, 1), Atom::Of(sign, 1, MANY)],
        ]),
        Split::Qwen2 => alternatives.extend([
            vec![Atom::Of(begins_letters, 0, 1), Atom::Of(is_letter, 1, MANY)],
            vec![Atom::Of(is_number, 1, 1)],
            vec![Atom::Of(space, 0, 1), Atom::Of(sign, 1, MANY), Atom::Of(line_end, 0, MANY)],
            vec![Atom::Of(char::is_whitespace, 0, MANY), Atom::Of(line_end, 1, MANY)],
        ]),
    }
    alternatives.extend([
        vec![Atom::Of(char::is_whitespace, 1, MANY), Atom::NotBefore(|c| !c.is_whitespace())],
        vec![Atom::Of(char::is_whitespace, 1, MANY)],
    ]);
    alternatives.iter().find_map(|atoms| matched(text, atoms)).expect("one alternative matches")
}

/// The length in bytes of what the atoms match at the beginning of the text.
fn matched(text: &str, atoms: &[Atom]) -> Option<usize> {
    let Some((&atom, others)) = atoms.split_first() else { return Some(0) };
    let first = text.chars().next();
    let rest = |length: usize| matched(&text[length..], others).map(|rest| length + rest);
    match atom {
        Atom::Letter(letter, any_case) => {
            let c = first?;
            // The long s is a lower-case letter of its own, and S its upper case.
            let same = c == letter || any_case && c.to_uppercase().eq(letter.to_uppercase());
            if same { rest(c.len_utf8()) } else { None }
        }
        Atom::Of(set, least, most) => {
            let run = text.char_indices().take(most).take_while(|&(_, c)| set(c));
            let ends = [0].into_iter().chain(run.map(|(at, c)| at + c.len_utf8()));
            let ends: Vec<usize> = ends.skip(least).collect();
            ends.into_iter().rev().find_map(rest)
        }
        Atom::NotBefore(set) => {
            if first.is_some_and(set) {
                None
            } else {
                rest(0)
            }
        }
    }
}

fn is_letter(c: char) -> bool {
    use GeneralCategory::*;
    matches!(
        get_general_category(c),
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
    )
}

fn is_number(c: char) -> bool {
    use GeneralCategory::*;
    matches!(get_general_category(c), DecimalNumber | LetterNumber | OtherNumber)
}
