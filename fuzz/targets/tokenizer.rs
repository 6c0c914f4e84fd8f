//! Compares the tokenizer with its definitions on any text, for the tiny model's vocabulary and for random ones of every
//! algorithm.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::vocab::{build_from, build_from_merges};
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::byte_alphabet::ALPHABET;
use monomorph_spec::{Algorithm, Split, TokenizerSpec, WordNormalizer};
use monomorph_testing::tiny;
use naive::Naive;
use naive_byte_level::NaiveByteLevel;
use naive_listed::NaiveListed;
use naive_unigram::NaiveUnigram;
use naive_wordpiece::NaiveWordPiece;

#[path = "../../src/tokenizer/naive.rs"]
mod naive;
#[path = "../../src/tokenizer/naive_byte_level.rs"]
mod naive_byte_level;
#[path = "../../src/tokenizer/naive_listed.rs"]
mod naive_listed;
#[path = "../../src/tokenizer/naive_unigram.rs"]
mod naive_unigram;
#[path = "../../src/tokenizer/naive_wordpiece.rs"]
mod naive_wordpiece;

const ALL: usize = usize::MAX;

/// Longest text: the definition is slow on longer ones.
const MAX_BYTES: usize = 512;

/// Both tokenizers for a vocabulary.
struct Sample {
    tokenizer: Tokenizer,
    naive: Definition,
}

enum Definition {
    ScoredBpe(Naive),
    WordPiece(NaiveWordPiece),
    Unigram(NaiveUnigram),
    ByteLevel(NaiveByteLevel),
    Listed(NaiveListed),
}

/// XLM-RoBERTa's own map of characters.
const CHARSMAP: &[u8] = include_bytes!("../../testdata/golden/families/xlm-roberta.charsmap");

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let tiny = tiny::vocabulary().into_iter().map(|piece| (piece.text, piece.score, piece.kind));
    let merged = std::iter::once(Sample::new(tiny.collect())).chain((1..48).map(Sample::random));
    let words = (48..52).map(Sample::random_words);
    let scores = (52..55).map(Sample::random_scores);
    let listed = (59..63).map(Sample::random_listed);
    let bytes = (55..59).map(Sample::random_merges);
    merged.chain(words).chain(scores).chain(bytes).chain(listed).collect()
});

// The first byte chooses the vocabulary, the second the limit.
fuzz_target!(|input: (u8, u8, &str)| {
    let (sample, limit, text) = input;
    let sample = &SAMPLES[usize::from(sample) % SAMPLES.len()];
    let end = text.floor_char_boundary(MAX_BYTES);
    let text = &text[..end];
    let whole = sample.tokenizer.encode(text, ALL);
    let (first, rest) = whole.ids.split_first().expect("the text begins with <bos>");
    let (last, ids) = rest.split_last().expect("the text ends with <eos>");
    assert_eq!((*first, *last, whole.dropped), (0, 1, 0));
    let want = match &sample.naive {
        Definition::ScoredBpe(naive) => naive.encode(text),
        Definition::WordPiece(naive) => naive.encode(text),
        Definition::Unigram(naive) => naive.encode(text),
        Definition::ByteLevel(naive) => naive.encode(text),
        Definition::Listed(naive) => naive.encode(text),
    };
    assert_eq!(ids, want, "{text:?}");

    let limit = usize::from(limit) + 2;
    let cut = sample.tokenizer.encode(text, limit);
    assert!(cut.ids.len() <= limit);
    if cut.dropped_is_exact {
        assert_eq!(cut.ids.len() + cut.dropped, whole.ids.len());
        let kept = if cut.dropped == 0 { cut.ids.len() } else { limit - 1 };
        assert_eq!(cut.ids[..kept], whole.ids[..kept]);
        assert_eq!(cut.ids.last(), whole.ids.last());
    } else {
        assert!(cut.dropped > 0);
    }
    let cut = sample.tokenizer.encode_end(text, limit);
    assert_eq!(cut.ids.len() + cut.dropped, whole.ids.len());
    assert_eq!(cut.ids[0], 0);
    assert!(whole.ids.ends_with(&cut.ids[1..]));
    let _ = sample.tokenizer.decode(&cut.ids, true);
});

impl Sample {
    fn new(mut entries: Vec<(String, f32, PieceKind)>) -> Sample {
        // <bos> and <eos> come first, so that every vocabulary has them in the same place.
        entries.retain(|(text, ..)| text != "<bos>" && text != "<eos>");
        let marks = ["<bos>", "<eos>"].map(|text| (text.to_owned(), 0.0, PieceKind::Control));
        let entries = marks.into_iter().chain(entries);
        // The pieces live as long as the process, as the vocabulary of a build does.
        let pieces: Vec<Piece<'static>> = entries
            .map(|(text, score, kind)| Piece { bytes: text.leak().as_bytes(), score, kind })
            .collect();
        let unknown = pieces.iter().position(|piece| piece.bytes == b"<unk>");
        let special = TokenizerSpec {
            algorithm: Algorithm::ScoredBpe,
            bos: 0,
            eos: 1,
            unknown: unknown.map(|id| id as u32),
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let blob = build_from(&pieces, &[], &special).expect("a valid vocabulary").leak();
        let naive = Definition::ScoredBpe(Naive::new(&pieces, special.unknown));
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A random vocabulary of WordPiece with one of the normalisers.
    fn random_words(seed: u64) -> Sample {
        let mut random = Random(seed);
        let normalizer = WordNormalizer { lowercase: seed & 1 == 0, strip_accents: seed & 2 == 0 };
        let special = TokenizerSpec {
            algorithm: Algorithm::WordPiece(normalizer),
            bos: 0,
            eos: 1,
            unknown: Some(2),
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let specials = ["[CLS]", "[SEP]", "[UNK]"];
        let mut words: Vec<String> = Vec::new();
        for _ in 0..80 {
            let letters: Vec<char> = "aabbcde.1é日か\u{302e}\u{1161}".chars().collect();
            let n_chars = 1 + random.below(3);
            let text: String = (0..n_chars).map(|_| letters[random.below(letters.len())]).collect();
            let piece = if random.below(2) == 0 { format!("▁{text}") } else { text };
            if !words.contains(&piece) {
                words.push(piece);
            }
        }
        let specials = specials.map(|text| (text.to_owned(), PieceKind::Control)).into_iter();
        let words = words.into_iter().map(|text| (text, PieceKind::Normal));
        let pieces: Vec<Piece<'static>> = specials
            .chain(words)
            .map(|(text, kind)| Piece { bytes: text.leak().as_bytes(), score: 0.0, kind })
            .collect();
        let blob = build_from(&pieces, &[], &special).expect("a valid vocabulary").leak();
        let naive = Definition::WordPiece(NaiveWordPiece::new(&pieces, 2, normalizer));
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A random vocabulary of the unigram model, in which many ways to cut a word have the same score.
    fn random_scores(seed: u64) -> Sample {
        let mut random = Random(seed);
        let special = TokenizerSpec {
            algorithm: Algorithm::Unigram,
            bos: 0,
            eos: 1,
            unknown: Some(2),
            add_bos: true,
            add_eos: true,
            add_space_prefix: true,
        };
        let marks = ["<s>", "</s>", "<unk>"].map(|text| (text.to_owned(), 0.0));
        let mut entries: Vec<(String, f32)> = marks.into();
        for _ in 0..80 {
            let letters: Vec<char> = "aabbcde.1é日か▁\u{301}\u{1161}".chars().collect();
            let n_chars = 1 + random.below(4);
            let text = (0..n_chars).map(|_| letters[random.below(letters.len())]).collect();
            if entries.iter().all(|(other, _)| *other != text) {
                entries.push((text, [-1.0, -2.0, -3.5, -1.1][random.below(4)]));
            }
        }
        let pieces: Vec<Piece<'static>> = (0..)
            .zip(entries)
            .map(|(id, (text, score))| {
                let kind = if id < 3 { PieceKind::Control } else { PieceKind::Normal };
                Piece { bytes: text.leak().as_bytes(), score, kind }
            })
            .collect();
        let map = if seed & 3 == 0 { &[] } else { CHARSMAP };
        let blob = build_from(&pieces, map, &special).expect("a valid vocabulary").leak();
        let naive = Definition::Unigram(NaiveUnigram::new(&pieces, 2, map));
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A random vocabulary of byte-level BPE with one of the patterns: many pieces are formed of several pairs, of which
    /// some are listed, in no particular order.
    fn random_merges(seed: u64) -> Sample {
        let mut random = Random(seed);
        let split = if seed & 1 == 0 { Split::Gpt2 } else { Split::Qwen2 };
        let special = TokenizerSpec {
            algorithm: Algorithm::ByteLevel(split),
            bos: 0,
            eos: 1,
            unknown: None,
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let in_alphabet = |byte: u8| ALPHABET[usize::from(byte)].to_string();
        let mut parts: Vec<String> = " aab\n1'sé日\u{301}".bytes().map(in_alphabet).collect();
        let mut merges: Vec<String> = Vec::new();
        for _ in 0..80 {
            let [left, right] = [0, 1].map(|_| parts[random.below(parts.len())].clone());
            if left.chars().count() + right.chars().count() <= 12 {
                merges.push(format!("{left} {right}"));
                parts.push(left + &right);
            }
        }
        (1..merges.len()).for_each(|i| merges.swap(i, random.below(i + 1)));
        let specials = ["[CLS]", "[SEP]", "[MASK]"].map(|text| (text.into(), PieceKind::Control));
        let bytes = (0..=u8::MAX).map(|byte| (in_alphabet(byte), PieceKind::Normal));
        let formed = merges.iter().map(|merge| (merge.replace(' ', ""), PieceKind::Normal));
        let added = ["  ", "a b", "<b>"].map(|text| (text.into(), PieceKind::UserDefined));
        let mut entries: Vec<(String, PieceKind)> = specials.into();
        for (text, kind) in bytes.chain(formed).chain(added) {
            if entries.iter().all(|(other, _)| *other != text) {
                entries.push((text, kind));
            }
        }
        let pieces: Vec<Piece<'static>> = entries
            .into_iter()
            .map(|(text, kind)| Piece { bytes: text.leak().as_bytes(), score: 0.0, kind })
            .collect();
        let merges: Vec<&[u8]> = merges.iter().map(String::as_bytes).collect();
        let blob = build_from_merges(&pieces, &merges, &special).expect("a vocabulary").leak();
        let naive = Definition::ByteLevel(NaiveByteLevel::new(&pieces, &merges, split));
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A random vocabulary of characters that are merged in the order of a list, which is none in particular.
    fn random_listed(seed: u64) -> Sample {
        let mut random = Random(seed);
        let special = TokenizerSpec {
            algorithm: Algorithm::ListedMerges,
            bos: 0,
            eos: 1,
            unknown: None,
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let mut parts: Vec<String> = "aab\n▁▁<é日".chars().map(String::from).collect();
        let characters = parts.clone();
        let mut merges: Vec<String> = Vec::new();
        for _ in 0..80 {
            let [left, right] = [0, 1].map(|_| parts[random.below(parts.len())].clone());
            if left.chars().count() + right.chars().count() <= 12 {
                merges.push(format!("{left} {right}"));
                parts.push(left + &right);
            }
        }
        (1..merges.len()).for_each(|i| merges.swap(i, random.below(i + 1)));
        let specials = ["<bos>", "<eos>"].map(|text| (text.into(), PieceKind::Control));
        let bytes = (0..=u8::MAX).map(|byte| (format!("<0x{byte:02X}>"), PieceKind::Byte));
        let formed = merges.iter().map(|merge| (merge.replace(' ', ""), PieceKind::Normal));
        let characters = characters.into_iter().map(|text| (text, PieceKind::Normal));
        let cut = ["<|tool>", "a b"].map(|text| (text.into(), PieceKind::UserDefined));
        let mut entries: Vec<(String, PieceKind)> = specials.into();
        for (text, kind) in bytes.chain(formed).chain(characters).chain(cut) {
            if entries.iter().all(|(other, _)| *other != text) {
                entries.push((text, kind));
            }
        }
        let pieces: Vec<Piece<'static>> = entries
            .into_iter()
            .map(|(text, kind)| Piece { bytes: text.leak().as_bytes(), score: 0.0, kind })
            .collect();
        let merges: Vec<&[u8]> = merges.iter().map(String::as_bytes).collect();
        let blob = build_from_merges(&pieces, &merges, &special).expect("a vocabulary").leak();
        let naive = Definition::Listed(NaiveListed::new(&pieces, &merges));
        Sample { tokenizer: Tokenizer::new(blob), naive }
    }

    /// A random vocabulary: special tokens, some byte pieces, runs of spaces, cut-out pieces and pieces of a few
    /// letters.
    fn random(seed: u64) -> Sample {
        let mut random = Random(seed);
        let mut entries: Vec<(String, f32, PieceKind)> =
            vec![("<unk>".to_owned(), 0.0, PieceKind::Unknown)];
        let n_bytes = [0, 128, 256, 256][random.below(4)];
        entries.extend((0..n_bytes).map(|n| (format!("<0x{n:02X}>"), 0.0, PieceKind::Byte)));
        let mut add = |text: String, score: usize, kind: PieceKind| {
            // A run of U+2581 and one of spaces are the same piece.
            let same = |other: &str| other.replace(' ', "▁") == text.replace(' ', "▁");
            if entries.iter().all(|(other, ..)| !same(other)) {
                entries.push((text, -(score as f32), kind));
            }
        };
        for n in 2..=2 + random.below(6) {
            add(" ".repeat(n), 1000, PieceKind::UserDefined);
        }
        for cut in ["\n", "\n\n", "<b>", "<bb", "a b", "▁c", "ab<", "é"] {
            if random.below(4) != 0 {
                add(cut.to_owned(), 1000, PieceKind::UserDefined);
            }
        }
        // All scores differ, because equal ones are ordered by id in the table and not at all in the definition.
        let n = 4 + random.below(80);
        let mut scores: Vec<usize> = (0..n).collect();
        (1..n).rev().for_each(|i| scores.swap(i, random.below(i + 1)));
        let letters: Vec<char> =
            ["ab", "abc▁", "a▁<>b", "aé日👩"][random.below(4)].chars().collect();
        for score in scores {
            let longest = [1, 2, 3, 6][random.below(4)];
            let length = 1 + random.below(longest);
            let text = (0..length).map(|_| letters[random.below(letters.len())]).collect();
            add(text, score, PieceKind::Normal);
        }
        Sample::new(entries)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}
