use monomorph_codegen::vocab::build_from_merges;
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::{Algorithm, TokenizerSpec};

use super::{ALL, Rng, check_limits};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::naive_listed::NaiveListed;

const CONTROLS: [&str; 4] = ["<bos>", "<eos>", "<mask>", "é<"];

/// Pieces that are cut out though they are not special.
const VISIBLE: [&str; 3] = ["<|tool>", "<|tool>>", "b "];

/// A vocabulary under test: both tokenizers for it.
struct Sample {
    tokenizer: Tokenizer,
    naive: NaiveListed,
}

impl Sample {
    /// The vocabulary of these characters and merges.
    fn new(characters: &str, merges: &[String]) -> Sample {
        let mut pieces: Vec<Piece<'static>> = Vec::new();
        let mut add = |text: &str, kind: PieceKind| {
            if pieces.iter().all(|piece| piece.bytes != text.as_bytes()) {
                pieces.push(Piece { bytes: text.to_owned().leak().as_bytes(), score: 0.0, kind });
            }
        };
        CONTROLS.iter().for_each(|text| add(text, PieceKind::Control));
        VISIBLE.iter().for_each(|text| add(text, PieceKind::UserDefined));
        (0..256).for_each(|byte| add(&format!("<0x{byte:02X}>"), PieceKind::Byte));
        merges.iter().for_each(|merge| add(&merge.replace(' ', ""), PieceKind::Normal));
        characters.chars().for_each(|c| add(&c.to_string(), PieceKind::Normal));
        // No merge gives this piece, so that it never occurs.
        add("abababab", PieceKind::Normal);
        let merges: Vec<&[u8]> = merges.iter().map(String::as_bytes).collect();
        let special = TokenizerSpec {
            algorithm: Algorithm::ListedMerges,
            bos: 0,
            eos: 1,
            unknown: None,
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let blob = build_from_merges(&pieces, &merges, &special).expect("a vocabulary").leak();
        Sample { tokenizer: Tokenizer::new(blob), naive: NaiveListed::new(&pieces, &merges) }
    }

    /// A vocabulary of a few letters. Many pieces are formed of several pairs, of which only some are listed, and a pair
    /// may come before those that form its parts.
    fn random(rng: &mut Rng) -> Sample {
        let letters = rng.pick(&["ab", "abc", "ab▁", "▁a\n", "aé日▁", "▁", "\n\t▁", "<|tol>"]);
        let mut parts: Vec<String> = letters.chars().map(String::from).collect();
        let mut merges = Vec::new();
        for _ in 0..rng.below(80) {
            let [left, right] = [0, 1].map(|_| parts[rng.below(parts.len())].clone());
            let joined = format!("{left}{right}");
            let is_other = |text: &&str| **text == joined;
            if CONTROLS.iter().chain(&VISIBLE).any(is_other) || joined.chars().count() > 12 {
                continue;
            }
            merges.push(format!("{left} {right}"));
            parts.push(joined);
        }
        if rng.below(2) == 0 {
            (1..merges.len()).for_each(|i| merges.swap(i, rng.below(i + 1)));
        }
        // Characters besides those that are merged; all others become bytes.
        let others = rng.pick(&["", "x", "é", "日b"]);
        Sample::new(&(letters.to_owned() + others), &merges)
    }

    #[track_caller]
    fn check(&self, text: &str) {
        let got = self.tokenizer.encode(text, ALL);
        let want: Vec<u32> = [0].into_iter().chain(self.naive.encode(text)).chain([1]).collect();
        assert_eq!(got.ids, want, "{text:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{text:?}");
    }

    /// The text's pieces.
    fn pieces(&self, text: &str) -> Vec<String> {
        let ids = self.tokenizer.encode(text, ALL).ids;
        let inner = &ids[1..ids.len() - 1];
        inner.iter().map(|&id| self.tokenizer.decode(&[id], false)).collect()
    }
}

fn part(rng: &mut Rng) -> String {
    match rng.below(6) {
        0 => rng.pick(&CONTROLS).into(),
        1 => rng.pick(&VISIBLE).into(),
        2 => " ".repeat(rng.below(13)),
        3 => rng
            .pick(&["▁", "▁▁▁", "\n\n", "\r\n", "\t", "<", "<|tool", "\0", "\u{301}", "👩‍🔬"])
            .into(),
        _ => {
            let n_chars = rng.below(9);
            rng.string("aaabbc ▁<>é日\n", n_chars)
        }
    }
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng(31);
    for _ in 0..200 {
        let sample = Sample::random(&mut rng);
        for _ in 0..60 {
            let n_parts = rng.below(12);
            let text: String = (0..n_parts).map(|_| part(&mut rng)).collect();
            sample.check(&text);
        }
    }
}

/// These stretches are too long to be scanned.
#[test]
fn agrees_with_the_definition_on_long_stretches() {
    let mut rng = Rng(37);
    for _ in 0..60 {
        let sample = Sample::random(&mut rng);
        for letters in ["a", "ab", "abc", "a ", " ", "▁", "\n", "aé日👩", "<|tol>"] {
            let length = 100 + rng.below(120);
            sample.check(&rng.string(letters, length));
        }
    }
}

/// Of pairs that form the same piece, only those that are listed are merged, each in its turn.
#[test]
fn only_listed_pairs_are_merged() {
    let merges = ["b c", "a b", "ab c", "▁ ▁", "▁▁ ▁"].map(str::to_owned);
    let sample = Sample::new("abc▁", &merges);
    assert_eq!(sample.pieces("abc"), ["a", "bc"]);
    assert_eq!(sample.pieces("a     b"), ["a", "  ", "   ", "b"]);
    assert_eq!(sample.pieces("abé"), ["ab", "\u{fffd}", "\u{fffd}"]);
    let merges = ["a b", "b c", "a bc", "▁▁ ▁", "▁ ▁"].map(str::to_owned);
    let sample = Sample::new("abc▁", &merges);
    assert_eq!(sample.pieces("abc"), ["ab", "c"]);
    assert_eq!(sample.pieces("     "), ["   ", "  "]);
    assert_eq!(sample.tokenizer.decode(&sample.tokenizer.encode("é  c", ALL).ids, true), "é  c");
}

#[test]
fn every_character_is_accepted() {
    let sample = Sample::new("ab▁", &["▁ a".to_owned(), "a b".to_owned()]);
    for c in ('\0'..='\u{3000}').chain('\u{fff0}'..='\u{10010}').chain(['\u{10ffff}']) {
        sample.check(&format!("ab{c}a{c}{c} ab"));
    }
}

#[test]
fn a_limit_keeps_the_ids_at_its_end_of_the_text() {
    let mut rng = Rng(41);
    for _ in 0..60 {
        let sample = Sample::random(&mut rng);
        let text: String = (0..30).map(|_| part(&mut rng)).collect();
        check_limits(sample.tokenizer, &text, [0, 1]);
    }
}

/// A megabyte without a place to split: read whole in a moment, and not to its end under a limit.
#[test]
fn long_texts_take_little_time() {
    let merges = ["a b", "b a", "ab ab", "abab abab", "▁ ▁", "▁▁ ▁▁", "\n \n"].map(str::to_owned);
    let sample = Sample::new("ab▁\n", &merges);
    for pattern in ["a", "ab", "!", " ", "\n", "1", "日"] {
        let text = pattern.repeat(1 << 20);
        let whole = sample.tokenizer.encode(&text, ALL).ids;
        let long = sample.tokenizer.encode(&text, 16);
        assert_eq!(long.ids[..15], whole[..15], "{pattern:?}");
        assert!(long.dropped >= 16 && !long.dropped_is_exact, "{pattern:?}");
        let last = sample.tokenizer.encode_end(&text, 16).ids;
        assert_eq!(last[1..], whole[whole.len() - 15..], "{pattern:?}");
    }
}
