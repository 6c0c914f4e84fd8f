use monomorph_codegen::vocab::build_from_merges;
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::byte_alphabet::ALPHABET;
use monomorph_spec::{Algorithm, Split, TokenizerSpec};

use super::{ALL, Rng, check_limits};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::naive_byte_level::NaiveByteLevel;

const SPLITS: [Split; 2] = [Split::Gpt2, Split::Qwen2];

const CONTROLS: [&str; 4] = ["[CLS]", "[SEP]", "[MASK]", "<|end|>"];

const ADDED: [&str; 6] = ["  ", "   ", "<think>", "a b", "Ké", "b1"];

/// A vocabulary under test: both tokenizers for it.
struct Sample {
    tokenizer: Tokenizer,
    naive: NaiveByteLevel,
}

impl Sample {
    /// The vocabulary of these merges, which are in the alphabet of bytes.
    fn new(merges: &[String], split: Split) -> Sample {
        let mut pieces: Vec<Piece<'static>> = Vec::new();
        let mut add = |text: &str, kind: PieceKind| {
            if pieces.iter().all(|piece| piece.bytes != text.as_bytes()) {
                pieces.push(Piece { bytes: text.to_owned().leak().as_bytes(), score: 0.0, kind });
            }
        };
        CONTROLS.iter().for_each(|text| add(text, PieceKind::Control));
        ALPHABET.iter().for_each(|c| add(&c.to_string(), PieceKind::Normal));
        merges.iter().for_each(|merge| add(&merge.replace(' ', ""), PieceKind::Normal));
        ADDED.iter().for_each(|text| add(text, PieceKind::UserDefined));
        add("[PAD7]", PieceKind::Unused);
        let merges: Vec<&[u8]> = merges.iter().map(String::as_bytes).collect();
        let special = TokenizerSpec {
            algorithm: Algorithm::ByteLevel(split),
            bos: 0,
            eos: 1,
            unknown: None,
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let blob = build_from_merges(&pieces, &merges, &special).expect("a vocabulary").leak();
        let naive = NaiveByteLevel::new(&pieces, &merges, split);
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A vocabulary of a few letters. Many pieces are formed of several pairs, of which only some are listed, and a pair
    /// may come before those that form its parts.
    fn random(rng: &mut Rng, split: Split) -> Sample {
        let letters =
            rng.pick(&["ab", "abc", "ab ", " a\n", "aé日 ", "a1'!s", "\u{301}e\u{323}aK"]);
        let mut parts: Vec<String> = in_alphabet(letters).chars().map(String::from).collect();
        let mut merges = Vec::new();
        for _ in 0..rng.below(80) {
            let [left, right] = [0, 1].map(|_| parts[rng.below(parts.len())].clone());
            if left.chars().count() + right.chars().count() <= 12 {
                merges.push(format!("{left} {right}"));
                parts.push(left + &right);
            }
        }
        if rng.below(2) == 0 {
            (1..merges.len()).for_each(|i| merges.swap(i, rng.below(i + 1)));
        }
        Sample::new(&merges, split)
    }

    #[track_caller]
    fn check(&self, text: &str) {
        let got = self.tokenizer.encode(text, ALL);
        let want: Vec<u32> = [0].into_iter().chain(self.naive.encode(text)).chain([1]).collect();
        assert_eq!(got.ids, want, "{text:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{text:?}");
    }

    /// The text's words, which are its tokens where nothing is merged but the bytes of a character.
    fn pieces(&self, text: &str) -> Vec<String> {
        let ids = self.tokenizer.encode(text, ALL).ids;
        let inner = &ids[1..ids.len() - 1];
        inner.iter().map(|&id| self.tokenizer.decode(&[id], false)).collect()
    }
}

fn in_alphabet(text: &str) -> String {
    text.bytes().map(|byte| ALPHABET[usize::from(byte)]).collect()
}

/// The merges that form these words, byte by byte from the left.
fn forming(words: &[&str]) -> Vec<String> {
    let mut merges = Vec::new();
    for word in words {
        let word = in_alphabet(word);
        for (at, c) in word.char_indices().skip(1) {
            let merge = format!("{} {c}", &word[..at]);
            if !merges.contains(&merge) {
                merges.push(merge);
            }
        }
    }
    merges
}

fn part(rng: &mut Rng) -> String {
    match rng.below(9) {
        0 => rng.pick(&CONTROLS).into(),
        1 => rng.pick(&ADDED).into(),
        2 => rng
            .pick(&[
                " ",
                "  ",
                "    ",
                "\n",
                "\r\n",
                " \n",
                "\n ",
                "\t",
                "\u{85}",
                "\u{a0}",
                "\u{3000}",
                "\u{2028}",
                "\0",
                "\u{ad}",
                "\u{200b}",
                " [MASK]",
                "\n\n[MASK]",
                "[MAS",
                "<think",
            ])
            .into(),
        3 => rng
            .pick(&["'s", "'S", "'ſ", "'ll", "'lL", "'Re", "'ve", "'v", "'t", "'d", "'M", "''"])
            .into(),
        // What composing changes, and what it reorders.
        4 => {
            let n = 1 + rng.below(4);
            rng.string("e\u{301}\u{323}\u{327}\u{1df6}ᄒ\u{1161}ᆫ가K\u{212a}\u{340}क\u{93c}", n)
        }
        5 => {
            rng.pick(&["1", "23", "٣", "Ⅷ", "²", "!", "...", "€", "_", "-", "👩\u{200d}🔬"]).into()
        }
        _ => {
            let n = rng.below(9);
            rng.string("aaabb1 é日!'", n)
        }
    }
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng(19);
    for i in 0..200 {
        let sample = Sample::random(&mut rng, SPLITS[i % 2]);
        for _ in 0..60 {
            let n_parts = rng.below(12);
            let text: String = (0..n_parts).map(|_| part(&mut rng)).collect();
            sample.check(&text);
        }
    }
}

/// Every character below U+20000 and some others: where words end beside it tells what it is.
#[test]
fn every_character_is_what_the_definition_says() {
    for split in SPLITS {
        let beside = ["ax", "1y", "!z", " a", "\u{301}"];
        let sample = Sample::new(&forming(&beside), split);
        for c in ('\0'..'\u{20000}').chain(['\u{20000}', '\u{2ebf0}', '\u{323af}', '\u{e0001}']) {
            sample.check(&format!("a{c}x1{c}y!{c}z {c} {c}a{c}{c}\u{301}'{c}"));
        }
    }
}

/// A piece that could be formed of two listed pairs is not formed of a third.
#[test]
fn only_listed_pairs_are_merged() {
    let merges = ["b c", "a b", "ab c", "x ab", "xab c"].map(str::to_owned);
    let sample = Sample::new(&merges, Split::Gpt2);
    assert_eq!(sample.pieces("abc"), ["a", "bc"]);
    assert_eq!(sample.pieces("xabc"), ["x", "a", "bc"]);
    let merges = ["a b", "b c", "a bc"].map(str::to_owned);
    let sample = Sample::new(&merges, Split::Gpt2);
    // Though "abc" is a piece.
    assert_eq!(sample.pieces("abc"), ["ab", "c"]);
}

#[test]
fn patterns_split_as_the_originals() {
    let words = ["don", "'t", "'T", " it", "\tit", "it", " 12", "12", "!\n\n", " \n"];
    let of = |split, text| Sample::new(&forming(&words), split).pieces(text);
    let (gpt2, qwen2) = (Split::Gpt2, Split::Qwen2);
    assert_eq!(of(gpt2, "don't it"), ["don", "'t", " it"]);
    assert_eq!(of(gpt2, "don'T"), ["don", "'", "T"]);
    assert_eq!(of(qwen2, "don'T"), ["don", "'T"]);
    assert_eq!(of(gpt2, "\tit 12"), ["\t", "it", " 12"]);
    assert_eq!(of(qwen2, "\tit 12"), ["\tit", " ", "1", "2"]);
    assert_eq!(of(gpt2, "!\n\nit"), ["!", "\n", "\n", "it"]);
    assert_eq!(of(qwen2, "!\n\nit"), ["!\n\n", "it"]);
    assert_eq!(of(qwen2, "\t \n it"), ["\t", " \n", " it"]);
}

/// The mask takes the white space before it, however long, but not from before another token.
#[test]
fn the_mask_takes_white_space() {
    let sample = Sample::new(&[], Split::Gpt2);
    assert_eq!(sample.pieces("a \n [MASK] a"), ["a", "[MASK]", " ", "a"]);
    assert_eq!(sample.pieces(" [SEP] [MASK][MASK]"), [" ", "[SEP]", "[MASK]", "[MASK]"]);
    let spaces = " ".repeat(100_000);
    let got = sample.tokenizer.encode(&format!("{spaces}[MASK]"), 4);
    assert_eq!((got.ids, got.dropped), (vec![0, 2, 1], 0));
}

/// Words beyond what is scanned.
#[test]
fn long_words_are_merged_as_a_whole() {
    let mut rng = Rng(23);
    for i in 0..60 {
        let sample = Sample::random(&mut rng, SPLITS[i % 2]);
        for letters in ["a", "ab", "abc", "a\u{301}", " ", "\n", "!'", "aé日", "1"] {
            let length = 100 + rng.below(120);
            sample.check(&rng.string(letters, length));
        }
    }
}

/// A megabyte without a place to split: read whole in a moment, and not to its end under a limit.
#[test]
fn long_texts_take_little_time() {
    let mut merges = forming(&["ab", "ba", " a", "    "]);
    merges.extend(["ab ab", "abab abab"].map(str::to_owned));
    for split in SPLITS {
        let sample = Sample::new(&merges, split);
        for pattern in ["a", "ab", "!", " ", "\n", "1", "日", "e\u{301}", "\u{301}"] {
            let text = pattern.repeat(1 << 20);
            let whole = sample.tokenizer.encode(&text, ALL).ids;
            let short = sample.tokenizer.encode(&pattern.repeat(1 << 12), 16);
            let long = sample.tokenizer.encode(&text, 16);
            assert_eq!(long.ids, short.ids, "{pattern:?}");
            assert_eq!(long.ids[..15], whole[..15], "{pattern:?}");
            assert!(long.dropped >= 8 && !long.dropped_is_exact, "{pattern:?}");
        }
    }
}

#[test]
fn a_limit_keeps_the_ids_at_its_end_of_the_text() {
    let mut rng = Rng(29);
    for i in 0..60 {
        let sample = Sample::random(&mut rng, SPLITS[i % 2]);
        let text: String = (0..30).map(|_| part(&mut rng)).collect();
        check_limits(sample.tokenizer, &text, [0, 1]);
    }
}

#[test]
fn of_a_stretch_beyond_the_limit_only_the_end_is_merged() {
    let sample = Sample::new(&forming(&["ab"]), Split::Qwen2);
    for (n, exact) in [(1000, true), (3 << 20, false)] {
        let got = sample.tokenizer.encode_end(&"ab".repeat(n), 16);
        let ab = sample.tokenizer.encode("ab", ALL).ids[1];
        assert_eq!(got.ids, [&[0], &[ab; 14][..], &[1]].concat());
        assert_eq!(got.dropped_is_exact, exact);
    }
}

#[test]
fn decodes_as_the_original_does() {
    let sample = Sample::new(&forming(&["Hello", " wor"]), Split::Qwen2);
    let tokenizer = &sample.tokenizer;
    let mut rng = Rng(31);
    for _ in 0..300 {
        let n_chars = rng.below(30);
        let text = rng.string("Hello wor'12\n\0é日👩<>!", n_chars);
        let ids = tokenizer.encode(&text, ALL).ids;
        assert_eq!(tokenizer.decode(&ids, true), text);
        assert_eq!(tokenizer.decode(&ids, false), format!("[CLS]{text}[SEP]"));
    }
    // Added tokens are kept as they are, and only control tokens are skipped.
    let ids = tokenizer.encode("é<think>  a b[MASK]", ALL).ids;
    assert_eq!(tokenizer.decode(&ids, true), "é<think>  a b");
    // Of the three bytes of a character, all are needed.
    let ids = tokenizer.encode("日", ALL).ids;
    assert_eq!(tokenizer.decode(&ids[1..3], true), "\u{fffd}");
    assert_eq!(tokenizer.decode(&[ids[1], u32::MAX, ids[2], ids[3]], true), "日");
    assert_eq!(tokenizer.decode(&[ids[2], ids[3]], true), "\u{fffd}\u{fffd}");
}
