use monomorph_codegen::vocab::build_from;
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::{Algorithm, TokenizerSpec};

use super::{ALL, Rng, check_limits};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::naive_unigram::NaiveUnigram;

/// XLM-RoBERTa's own map of characters.
const CHARSMAP: &[u8] = include_bytes!("../../../testdata/golden/families/xlm-roberta.charsmap");

const SPECIALS: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

const SPEC: TokenizerSpec = TokenizerSpec {
    algorithm: Algorithm::Unigram,
    bos: 0,
    eos: 2,
    unknown: Some(3),
    add_bos: true,
    add_eos: true,
    add_space_prefix: true,
};

/// A vocabulary under test: both tokenizers for it.
struct Sample {
    tokenizer: Tokenizer,
    naive: NaiveUnigram,
}

impl Sample {
    fn new(words: impl IntoIterator<Item = (String, f32)>, charsmap: &[u8]) -> Sample {
        let specials = SPECIALS.map(|text| (text.to_owned(), 0.0, PieceKind::Control));
        let words = words.into_iter().map(|(text, score)| (text, score, PieceKind::Normal));
        let unused = ("ab".repeat(4), -10_000.0, PieceKind::Unused);
        let pieces: Vec<Piece<'static>> = specials
            .into_iter()
            .chain(words)
            .chain([unused])
            .map(|(text, score, kind)| Piece { bytes: text.leak().as_bytes(), score, kind })
            .collect();
        let blob = build_from(&pieces, charsmap, &SPEC).expect("a valid vocabulary").leak();
        Sample { tokenizer: Tokenizer::new(blob), naive: NaiveUnigram::new(&pieces, 3, charsmap) }
    }

    /// A vocabulary of a few letters, in which many ways to cut a word have the same score.
    fn random(rng: &mut Rng, charsmap: &[u8]) -> Sample {
        let mut words: Vec<(String, f32)> = Vec::new();
        for _ in 0..5 + rng.below(60) {
            let longest = rng.pick(&[1, 1, 2, 3, 6]);
            let n_chars = 1 + rng.below(longest);
            let letters = rng.pick(&["ab", "ab▁", "aé日か", "a<s>", "éfi\u{301}", "ᄒ\u{1161}ᆫ한"]);
            let text = rng.string(letters, n_chars);
            if words.iter().all(|(other, _)| *other != text) && text != "<s>" {
                let score = rng.pick(&[-1.0, -2.0, -3.5, -1.1, -7.3]);
                words.push((text, score));
            }
        }
        Sample::new(words, charsmap)
    }

    #[track_caller]
    fn check(&self, text: &str) {
        let got = self.tokenizer.encode(text, ALL);
        let want: Vec<u32> = [0].into_iter().chain(self.naive.encode(text)).chain([2]).collect();
        assert_eq!(got.ids, want, "{text:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{text:?}");
    }
}

fn part(rng: &mut Rng) -> String {
    match rng.below(8) {
        0 => rng.pick(&SPECIALS).into(),
        1 => rng
            .pick(&[
                " ", "  ", "\n", "\r\n", "\r", "\u{85}", "\u{a0}", "\u{3000}", "\0", "\u{ad}",
                "\u{200b}", "\u{feff}", "\u{fffd}", "<", "<s", "s>", "＜s＞", "▁", "▁▁",
            ])
            .into(),
        // What joins in clusters: marks, joiners, a prepended sign, flags, pictographs, conjuncts.
        2 => {
            let n = 1 + rng.below(4);
            let letters = "e\u{301}\u{304}\u{200d}\u{600}🇩🇪👩🔬क\u{94d}षᄒ\u{1161}ᆫ가\u{340}";
            rng.string(letters, n)
        }
        // Characters that are replaced, alone or with what follows.
        3 => rng
            .pick(&[
                "ﬁ",
                "ﬁ\u{301}",
                "e\u{301}",
                "ﷺ",
                "①",
                "Å",
                "A\u{30a}",
                "u\u{308}\u{304}",
                "½",
                "ｱ",
                "が",
                "か\u{3099}",
                "\u{1d15e}",
                "ſ\u{307}",
                "a\u{301}\u{301}",
            ])
            .into(),
        4 => rng.pick(&[".", "€", "。", "-"]).into(),
        _ => {
            let n = rng.below(9);
            rng.string("aaabb▁é日か", n)
        }
    }
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng(11);
    for i in 0..60 {
        let sample = Sample::random(&mut rng, if i % 4 == 0 { &[] } else { CHARSMAP });
        for _ in 0..60 {
            let n_parts = rng.below(12);
            let text: String = (0..n_parts).map(|_| part(&mut rng)).collect();
            sample.check(&text);
        }
    }
}

/// A vocabulary with every character below U+20000: ids tell what became of each, alone and beside others.
#[test]
fn every_character_becomes_what_the_definition_says() {
    // Without most ideographs and syllables, which are alike.
    let characters = || {
        let blocks =
            ('\0'..'\u{3400}').chain('\u{a000}'..'\u{ac20}').chain('\u{d7a0}'..'\u{20000}');
        blocks.chain(['\u{20000}', '\u{2f800}', '\u{e0001}'])
    };
    let sample = Sample::new(characters().map(|c| (c.to_string(), -1.0)), CHARSMAP);
    for c in characters() {
        for beside in ["a", "\u{301}"] {
            sample.check(&format!("a{c}{beside}{c} {c}{c}"));
        }
    }
}

/// Ties go to the way that is found first, and unknown characters become one.
#[test]
fn long_words_are_cut_as_a_whole() {
    let words =
        [("▁", -1.0), ("a", -2.0), ("aa", -4.0), ("aaa", -6.0), ("aaaa", -8.1), ("b", -1.3)];
    let sample = Sample::new(words.map(|(text, score)| (text.to_owned(), score)), CHARSMAP);
    for n in [1, 2, 3, 4, 5, 99, 100, 101, 300] {
        for text in ["a", "ab", "aaab", "ac", "ca", "cd", "aé", "c d", "▁c", "日本"] {
            sample.check(&text.repeat(n));
        }
    }
}

/// Characters that are no pieces, but stand side by side in one: there is no place to cut them, and however many there
/// are, they become one id.
#[test]
fn unknown_text_of_any_length_is_one_id() {
    let words = [("▁", -1.0), ("xabay", -2.0), ("c", -1.5)];
    let sample = Sample::new(words.map(|(text, score)| (text.to_owned(), score)), CHARSMAP);
    let text = "ab".repeat(1000) + "c c" + &"ba".repeat(1000);
    sample.check(&text);
    let whole = sample.tokenizer.encode(&text, ALL).ids;
    assert_eq!(whole.len(), 8, "{whole:?}");
    for limit in [8, 9, 20] {
        let got = sample.tokenizer.encode(&text, limit);
        assert_eq!((got.ids, got.dropped, got.dropped_is_exact), (whole.clone(), 0, true));
    }
    check_limits(sample.tokenizer, &text, [0, 2]);
}

/// Full-width letters become a special token only after special tokens have been cut out: its piece is found all the
/// same, as in the original.
#[test]
fn special_tokens_may_come_of_normalising() {
    let sample = Sample::new(["▁", "a"].map(|text| (text.to_owned(), -1.0)), CHARSMAP);
    sample.check("a＜s＞a");
    assert_eq!(sample.tokenizer.encode("＜s＞", ALL).ids, [0, 5, 0, 2]);
}

#[test]
fn a_limit_keeps_the_ids_at_its_end_of_the_text() {
    let mut rng = Rng(13);
    for _ in 0..40 {
        let sample = Sample::random(&mut rng, CHARSMAP);
        let text: String = (0..30).map(|_| part(&mut rng)).collect();
        check_limits(sample.tokenizer, &text, [0, 2]);
    }
}

#[test]
fn decodes_as_the_original_does() {
    let words = ["▁Hello", "▁wor", "ld", "."].map(|text| (text.to_owned(), -1.0));
    let sample = Sample::new(words, CHARSMAP);
    let ids = [0, 5, 6, 7, 8, 2];
    assert_eq!(sample.tokenizer.encode("Hello world.", ALL).ids, ids);
    assert_eq!(sample.tokenizer.decode(&ids, true), "Hello world.");
    assert_eq!(sample.tokenizer.decode(&ids, false), "<s> Hello world.</s>");
}

/// Damaged maps of characters are refused, or read as what they have become.
#[test]
fn damaged_maps_are_refused() {
    let mut rng = Rng(17);
    let pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁"].map(|text| {
        let kind = if text == "▁" { PieceKind::Normal } else { PieceKind::Control };
        Piece { bytes: text.as_bytes(), score: -1.0, kind }
    });
    let (mut refused, rounds) = (0, 60);
    for round in 0..rounds {
        let mut map = CHARSMAP.to_vec();
        match round % 3 {
            0 => map.truncate(1 + rng.below(CHARSMAP.len() - 1)),
            1 => (0..4).for_each(|i| map[i] = rng.below(256) as u8),
            _ => (0..400).for_each(|_| {
                let at = 4 + rng.below(CHARSMAP.len() - 4);
                map[at] = rng.below(256) as u8;
            }),
        }
        match build_from(&pieces, &map, &SPEC) {
            Ok(blob) => {
                let ids = Tokenizer::new(blob.leak()).encode("ﬁ e\u{301} ①", ALL).ids;
                assert!(ids.len() > 2);
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("precompiled_charsmap"), "{error}");
            }
        }
    }
    assert!(refused > rounds / 3, "{refused} of {rounds}");
}
