use monomorph_codegen::vocab::build_from;
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::{Algorithm, TokenizerSpec, WordNormalizer};

use super::{ALL, Rng, check_limits};
use crate::tokenizer::Tokenizer;
use crate::tokenizer::naive_wordpiece::NaiveWordPiece;

const SPECIALS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

const UNCASED: WordNormalizer = WordNormalizer { lowercase: true, strip_accents: true };

const NORMALIZERS: [WordNormalizer; 4] = [
    UNCASED,
    WordNormalizer { lowercase: false, strip_accents: false },
    WordNormalizer { lowercase: true, strip_accents: false },
    WordNormalizer { lowercase: false, strip_accents: true },
];

/// A vocabulary under test: both tokenizers for it.
struct Sample {
    tokenizer: Tokenizer,
    naive: NaiveWordPiece,
}

impl Sample {
    fn new(words: impl IntoIterator<Item = String>, normalizer: WordNormalizer) -> Sample {
        let specials = SPECIALS.map(|text| (text.to_owned(), PieceKind::Control));
        let words = words.into_iter().map(|text| (text, PieceKind::Normal));
        let piece = |(text, kind): (String, PieceKind)| Piece {
            bytes: text.leak().as_bytes(),
            score: 0.0,
            kind,
        };
        let pieces: Vec<Piece<'static>> = specials.into_iter().chain(words).map(piece).collect();
        let special = TokenizerSpec {
            algorithm: Algorithm::WordPiece(normalizer),
            bos: 2,
            eos: 3,
            unknown: Some(1),
            add_bos: true,
            add_eos: true,
            add_space_prefix: false,
        };
        let blob = build_from(&pieces, &[], &special).expect("a valid vocabulary").leak();
        Sample {
            tokenizer: Tokenizer::new(blob),
            naive: NaiveWordPiece::new(&pieces, 1, normalizer),
        }
    }

    fn random(rng: &mut Rng, normalizer: WordNormalizer) -> Sample {
        let mut words: Vec<String> = Vec::new();
        for _ in 0..5 + rng.below(60) {
            let longest = rng.pick(&[1, 1, 2, 3, 6]);
            let n_chars = 1 + rng.below(longest);
            let letters =
                rng.pick(&["ab", "abc▁", "aé日か", "ab.", "\u{301}\u{302e}a", "ᄒ\u{1161}ᆫ"]);
            let text = rng.string(letters, n_chars);
            // The original has no piece that continues a word with U+2581.
            let is_beginning = rng.below(2) == 0 || text.starts_with('▁');
            let piece = if is_beginning { format!("▁{text}") } else { text };
            if !words.contains(&piece) {
                words.push(piece);
            }
        }
        Sample::new(words, normalizer)
    }

    #[track_caller]
    fn check(&self, text: &str) {
        let got = self.tokenizer.encode(text, ALL);
        let want: Vec<u32> = [2].into_iter().chain(self.naive.encode(text)).chain([3]).collect();
        assert_eq!(got.ids, want, "{text:?}");
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{text:?}");
    }
}

fn part(rng: &mut Rng) -> String {
    match rng.below(8) {
        0 => rng.pick(&SPECIALS).into(),
        1 => rng
            .pick(&[
                " ", "  ", "\n", "\u{85}", "\u{a0}", "\u{3000}", "\0", "\u{ad}", "\u{200b}",
                "\u{fffd}", "\u{b}", "\u{e000}", "[", "]", "[SEP", "SEP]", "[sep]",
            ])
            .into(),
        // Marks of every kind: dropped or kept, combining in different classes, and one that is no mark to the
        // original.
        2 => {
            let n = 1 + rng.below(4);
            rng.string(
                "\u{301}\u{323}\u{302e}\u{302f}\u{1b44}\u{a953}\u{345}\u{93e}\u{e31}\u{898}\u{bd7}",
                n,
            )
        }
        3 => rng
            .pick(&[
                "한", "하", "が", "ä", "Ä", "İ", "ΑΣ", "ß", "ﬁ", "\u{1e9e}", "ǅ", "日", "\u{f900}",
                "\u{37e}",
            ])
            .into(),
        4 => rng.pick(&[".", "€", "。", "-", "_", "$", "«"]).into(),
        _ => {
            let n = rng.below(9);
            rng.string("aaabbcAB▁é日か", n)
        }
    }
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng(7);
    for i in 0..60 {
        let sample = Sample::random(&mut rng, NORMALIZERS[i % NORMALIZERS.len()]);
        for _ in 0..60 {
            let n_parts = rng.below(12);
            let text: String = (0..n_parts).map(|_| part(&mut rng)).collect();
            sample.check(&text);
        }
    }
}

/// A vocabulary with every character below U+20000, both ways: ids tell what became of each.
#[test]
fn every_character_becomes_what_the_definition_says() {
    let characters =
        || ('\0'..'\u{20000}').chain(['\u{20000}', '\u{2f800}', '\u{e0001}', '\u{10ffff}']);
    let words = characters().filter(|&c| c != '▁').flat_map(|c| [format!("▁{c}"), c.to_string()]);
    let words: Vec<String> = words.chain(["▁▁".to_owned()]).collect();
    for normalizer in NORMALIZERS {
        let sample = Sample::new(words.iter().cloned(), normalizer);
        for c in characters() {
            sample.check(&format!("a{c}b {c}"));
        }
    }
}

#[test]
fn long_words_are_unknown() {
    let sample = Sample::new(["▁a", "a", "▁é", "é"].map(str::to_owned), UNCASED);
    for n in [1, 99, 100, 101, 102, 103, 1000] {
        sample.check(&"a".repeat(n));
        sample.check(&format!("{} a", "a".repeat(n)));
        // Accents are dropped before characters are counted.
        sample.check(&"e\u{301}".repeat(n));
        sample.check(&"\u{302e}\u{1b44}".repeat(n));
    }
}

/// Marks that survive are put in Unicode's canonical order, in which those that are dropped play a part too.
#[test]
fn marks_are_reordered_as_when_decomposed() {
    let marks = ["\u{302e}", "\u{1b44}", "\u{302f}", "\u{301}", "\u{e31}", "\u{ad}", "\u{a953}"];
    let words = [
        "▁a",
        "\u{302e}",
        "\u{1b44}",
        "\u{302f}",
        "\u{a953}",
        "\u{1b44}\u{302e}",
        "▁\u{302e}",
        "▁\u{1b44}",
    ];
    let sample = Sample::new(words.map(str::to_owned), UNCASED);
    for first in marks {
        for second in marks {
            for third in marks {
                for base in ["a", "", "[SEP]", ".", "日"] {
                    sample.check(&format!("{base}{first}{second}{third}"));
                }
            }
        }
    }
}

#[test]
fn a_limit_keeps_the_ids_at_its_end_of_the_text() {
    let mut rng = Rng(9);
    for i in 0..40 {
        let sample = Sample::random(&mut rng, NORMALIZERS[i % NORMALIZERS.len()]);
        let text: String = (0..30).map(|_| part(&mut rng)).collect();
        check_limits(sample.tokenizer, &text, [2, 3]);
    }
}

/// The expected texts are those of Hugging Face's decoder.
#[test]
fn decodes_as_the_original_does() {
    let words =
        ["▁don", "▁'", "▁t", "▁hello", "▁,", "▁world", "ly", "▁.", "▁n't"].map(str::to_owned);
    let sample = Sample::new(words, UNCASED);
    let decode = |ids: &[u32], skip| sample.tokenizer.decode(ids, skip);
    assert_eq!(decode(&[2, 8, 9, 10, 11, 12, 3], true), "hello, worldly.");
    assert_eq!(decode(&[2, 8, 3], false), "[CLS] hello [SEP]");
    assert_eq!(decode(&[11, 8], true), "##ly hello");
    assert_eq!(decode(&[5, 13], true), "donn't");
    assert_eq!(decode(&[5, 6, 7], true), "don ' t");
    assert_eq!(decode(&[], true), "");
    assert_eq!(decode(&[99], true), "");
}
