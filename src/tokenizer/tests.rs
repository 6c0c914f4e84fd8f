use monomorph_codegen::vocab::{build, build_from};
use monomorph_gguf::{Header, Piece, PieceKind, Vocabulary, read_prefix};
use monomorph_spec::vocab_layout::hash;
use monomorph_spec::{Algorithm, Spec, TokenizerSpec};

use super::naive::Naive;
use super::{Encoding, Tokenizer};

mod byte_level;
mod decode;
mod last;
mod listed;
mod unigram;
mod wordpiece;

const ALL: usize = usize::MAX;

/// A vocabulary under test: its pieces, and both tokenizers for it.
struct Sample {
    pieces: Vec<Piece<'static>>,
    tokenizer: Tokenizer,
    naive: Naive,
}

impl Sample {
    fn new(entries: Vec<(String, f32, PieceKind)>, special: TokenizerSpec) -> Self {
        let pieces: Vec<Piece<'static>> = entries
            .into_iter()
            .map(|(text, score, kind)| Piece { bytes: text.leak().as_bytes(), score, kind })
            .collect();
        let blob = build_from(&pieces, &[], &special).expect("a valid vocabulary").leak();
        let naive = Naive::new(&pieces, special.unknown);
        Sample { tokenizer: Tokenizer::new(blob), naive, pieces }
    }

    /// A random vocabulary: special pieces, bytes, runs of two to five spaces, and a few pieces of every other kind.
    fn random(rng: &mut Rng) -> Self {
        let mut entries: Vec<(String, f32, PieceKind)> = Vec::new();
        let mut add = |text: String, score: usize, kind: PieceKind| {
            let written = |text: &str| {
                if text.trim_matches(' ').is_empty() {
                    text.replace(' ', "▁")
                } else {
                    text.into()
                }
            };
            if !text.is_empty()
                && entries.iter().all(|(other, ..)| written(other) != written(&text))
            {
                entries.push((text, -(score as f32), kind));
            }
        };
        for mark in ["<bos>", "<eos>", "<unk>"] {
            add(mark.into(), 1000, PieceKind::Control);
        }
        for byte in 0..rng.pick(&[0, 128, 256, 256, 256]) {
            add(format!("<0x{byte:02X}>"), 0, PieceKind::Byte);
        }
        for n in 2..=5 {
            add(" ".repeat(n), 1000, PieceKind::UserDefined);
        }
        for cut in ["\n", "\n\n", "\n\n\n", "<b>", "<bb", "a b", "▁c", "ab<", "é"] {
            if rng.below(4) != 0 {
                add(
                    cut.into(),
                    1000,
                    rng.pick(&[PieceKind::UserDefined, PieceKind::Control, PieceKind::Unknown]),
                );
            }
        }
        add("bab".into(), 5, PieceKind::Unused);
        // All scores differ, because equal ones are ordered by id in the table and not at all in the definition.
        let n_normal = 4 + rng.below(60);
        let mut scores: Vec<usize> = (0..n_normal).collect();
        for i in (1..n_normal).rev() {
            scores.swap(i, rng.below(i + 1));
        }
        for score in scores {
            let longest = rng.pick(&[1, 2, 3, 6, 12]);
            let n_chars = 1 + rng.below(longest);
            let letters = rng.pick(&["ab", "abc▁", "a▁<>", "aé日👩", "abc"]);
            add(rng.string(letters, n_chars), score, PieceKind::Normal);
        }
        Sample::new(entries, special())
    }

    #[track_caller]
    fn check(&self, text: &str) {
        let full = self.tokenizer.encode(text, ALL);
        let want: Vec<u32> = [0].into_iter().chain(self.naive.encode(text)).chain([1]).collect();
        assert_eq!(full.ids, want, "{text:?} with {:?}", self.pieces);
        assert_eq!((full.dropped, full.dropped_is_exact), (0, true), "{text:?}");
    }
}

/// Checks the ids that every limit leaves of a text, whose marks are these.
#[track_caller]
fn check_limits(tokenizer: Tokenizer, text: &str, [bos, eos]: [u32; 2]) {
    let whole = tokenizer.encode(text, ALL).ids;
    for limit in 2..whole.len() + 2 {
        let (first, last) = (tokenizer.encode(text, limit), tokenizer.encode_end(text, limit));
        if limit >= whole.len() {
            assert_eq!((&first.ids, &last.ids), (&whole, &whole));
            continue;
        }
        assert_eq!(first.ids, [&whole[..limit - 1], &[eos]].concat());
        assert_eq!(last.ids, [&[bos], &whole[whole.len() - limit + 1..]].concat());
        assert_eq!(last.dropped, whole.len() - limit);
        assert!(first.dropped > 0 && first.dropped <= whole.len() - limit);
        assert!(!first.dropped_is_exact || first.dropped == whole.len() - limit);
    }
}

fn special() -> TokenizerSpec {
    TokenizerSpec {
        algorithm: Algorithm::ScoredBpe,
        bos: 0,
        eos: 1,
        unknown: Some(2),
        add_bos: true,
        add_eos: true,
        add_space_prefix: false,
    }
}

/// A vocabulary of words, written by hand.
fn words(special: TokenizerSpec) -> Sample {
    let marks = ["<bos>", "<eos>", "<unk>"].map(|text| (text, PieceKind::Control));
    let cut = ["\n", "  ", "   "].map(|text| (text, PieceKind::UserDefined));
    let normal =
        ["▁t", "he", "▁the", "ca", "cat", "▁cat", "▁", "a", "c", "e", "h", "t", "th", "s", "▁cats"]
            .map(|text| (text, PieceKind::Normal));
    let bytes = (0..256).map(|byte| (format!("<0x{byte:02X}>"), PieceKind::Byte));
    let pieces = marks
        .into_iter()
        .chain(cut)
        .chain(normal)
        .map(|(text, kind)| (text.to_owned(), kind))
        .chain(bytes);
    Sample::new(
        (0..).zip(pieces).map(|(i, (text, kind))| (text, -(i as f32), kind)).collect(),
        special,
    )
}

#[test]
fn agrees_with_the_definition() {
    let mut rng = Rng(1);
    for _ in 0..300 {
        let sample = Sample::random(&mut rng);
        for _ in 0..60 {
            let n_parts = rng.below(12);
            let text: String = (0..n_parts).map(|_| part(&mut rng, &sample.pieces)).collect();
            sample.check(&text);
        }
    }
}

/// The file of the default model, read and turned into a table as in a build.
#[test]
fn agrees_with_the_definition_on_the_default_model() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/tiny.gguf");
    let prefix = read_prefix(path.as_ref()).expect("the default model");
    let header = Header::parse(&prefix.bytes, prefix.file_len).expect("the default model");
    let special = Spec::from_header(&header).expect("a valid model").tokenizer;
    let pieces: Vec<Piece<'_>> =
        Vocabulary::from_header(&header).expect("a vocabulary").iter().collect();
    let tokenizer = Tokenizer::new(build(&header, &special).expect("a vocabulary").leak());
    let naive = Naive::new(&pieces, special.unknown);
    let mut rng = Rng(3);
    for _ in 0..2000 {
        let text: String = (0..rng.below(20)).map(|_| part(&mut rng, &pieces)).collect();
        let got = tokenizer.encode(&text, ALL);
        let inner = &got.ids[special.add_bos.into()..got.ids.len() - usize::from(special.add_eos)];
        assert_eq!(inner, naive.encode(&text), "{text:?}");
    }
}

/// These segments are too long to be scanned.
#[test]
fn agrees_with_the_definition_on_long_segments() {
    let mut rng = Rng(2);
    for _ in 0..100 {
        let sample = Sample::random(&mut rng);
        for letters in ["a", "ab", "abc", "a ", " ", "▁", "\n", "aé日👩", "<b>"] {
            let length = 100 + rng.below(120);
            sample.check(&rng.string(letters, length));
        }
    }
}

#[test]
fn every_character_is_accepted() {
    let sample = words(special());
    for c in ('\0'..='\u{3000}')
        .chain('\u{fff0}'..='\u{10010}')
        .chain('\u{1f5ff}'..='\u{1f610}')
        .chain(['\u{10ffff}'])
    {
        sample.check(&format!("{c}"));
        sample.check(&format!("the{c}cat{c}{c} the"));
    }
}

/// The table finds pieces by their hash alone. These two strings have the same hash and the same first byte.
const PIECE: &str = "崀崀崀崀崀崀";
const NO_PIECE: &str = "娎怨媷嵼弆廍";

#[test]
fn a_string_with_the_hash_of_a_piece_is_none() {
    assert_eq!(hash(PIECE), hash(NO_PIECE));
    for kind in [PieceKind::Normal, PieceKind::UserDefined] {
        let marks =
            ["<bos>", "<eos>", "<unk>"].map(|mark| (mark.to_owned(), 0.0, PieceKind::Control));
        let mut entries = [&marks[..], &[(PIECE.to_owned(), 0.0, kind)]].concat();
        // With these pieces, merging reaches all but the last character, and a segment never ends between two of these
        // strings.
        let starts = NO_PIECE.char_indices().skip(2).map(|(end, _)| NO_PIECE[..end].to_owned());
        entries.extend(starts.zip(1..).map(|(text, i)| (text, i as f32, PieceKind::Normal)));
        entries.push((NO_PIECE.repeat(2), 0.0, kind));
        let sample = Sample::new(entries, special());
        for n in 1..30 {
            sample.check(&NO_PIECE.repeat(n));
            sample.check(&[NO_PIECE, PIECE].concat().repeat(n));
        }
    }
}

#[test]
fn words_become_pieces() {
    let sample = words(special());
    let pieces = |text: &str| -> Vec<String> {
        let ids = sample.tokenizer.encode(text, ALL).ids;
        let piece = |id: u32| sample.tokenizer.piece(id).expect("an id of the vocabulary");
        ids.into_iter().map(|id| String::from_utf8_lossy(piece(id)).into_owned()).collect()
    };
    assert_eq!(pieces(""), ["<bos>", "<eos>"]);
    assert_eq!(pieces("the cats"), ["<bos>", "t", "he", "▁cats", "<eos>"]);
    assert_eq!(pieces("cat   the\n"), ["<bos>", "cat", "▁▁▁", "t", "he", "\n", "<eos>"]);
    assert_eq!(pieces("é\0"), ["<bos>", "<0xC3>", "<0xA9>", "<0x00>", "<eos>"]);
    assert_eq!(pieces("a<eos>▁▁"), ["<bos>", "a", "<eos>", "▁▁", "<eos>"]);
}

#[test]
fn pieces_are_found_by_id() {
    let sample = words(special());
    assert_eq!(sample.tokenizer.n_vocab(), sample.pieces.len());
    assert_eq!(sample.tokenizer.piece(0), Some(&b"<bos>"[..]));
    assert_eq!(sample.tokenizer.piece(8), Some("▁the".as_bytes()));
    assert_eq!(sample.tokenizer.piece(sample.pieces.len() as u32), None);
    assert_eq!(sample.tokenizer.piece(u32::MAX), None);
}

#[test]
fn marks_and_prefix_follow_the_model() {
    let bare = words(TokenizerSpec { add_bos: false, add_eos: false, ..special() });
    assert_eq!(bare.tokenizer.encode("the", ALL).ids, bare.naive.encode("the"));
    assert!(bare.tokenizer.encode("", ALL).ids.is_empty());
    assert_eq!(bare.tokenizer.encode("the cat", 1).ids, bare.naive.encode("the cat")[..1]);

    let prefixed = words(TokenizerSpec { add_bos: false, add_space_prefix: true, ..special() });
    let with_end = |mut ids: Vec<u32>| {
        ids.push(1);
        ids
    };
    assert_eq!(prefixed.tokenizer.encode("the", ALL).ids, with_end(prefixed.naive.encode(" the")));
    assert_eq!(
        prefixed.tokenizer.encode(" the", ALL).ids,
        with_end(prefixed.naive.encode("  the"))
    );
    assert_eq!(
        prefixed.tokenizer.encode("\nthe", ALL).ids,
        with_end(prefixed.naive.encode("\nthe"))
    );
    assert_eq!(prefixed.tokenizer.encode("", ALL).ids, [1]);
}

#[test]
fn a_limit_keeps_the_first_tokens_and_the_end() {
    let sample = words(special());
    let text = "the cats  the cat\nhe é cat".repeat(3);
    let full = sample.tokenizer.encode(&text, ALL).ids;
    for limit in 0..full.len() + 3 {
        let Encoding { ids, dropped, dropped_is_exact } = sample.tokenizer.encode(&text, limit);
        if limit >= full.len() {
            assert_eq!(ids, full);
        } else if let Some(kept) = limit.checked_sub(1) {
            assert_eq!(ids, [&full[..kept], &[1]].concat(), "limit {limit}");
        } else {
            assert!(ids.is_empty());
        }
        let left_out = full.len() - ids.len();
        assert!(
            if dropped_is_exact { dropped == left_out } else { 0 < dropped && dropped <= left_out },
            "limit {limit}"
        );
        assert!(dropped_is_exact || full.len() > 4 * limit, "limit {limit}");
    }
}

/// A megabyte without a place to split is not read to its end, and the ids that are kept do not depend on that.
#[test]
fn long_texts_are_read_as_far_as_needed() {
    let sample = words(special());
    for pattern in ["a", "th", "cat", " ", "\n", "▁", "the cats ", "日"] {
        let long = sample.tokenizer.encode(&pattern.repeat(1 << 20), 16);
        let short = sample.tokenizer.encode(&pattern.repeat(1 << 10), 16);
        assert_eq!(long.ids, short.ids, "{pattern:?}");
        assert_eq!(long.ids.len(), 16, "{pattern:?}");
        assert!(long.dropped >= 16 && !long.dropped_is_exact, "{pattern:?}");
    }
}

fn part(rng: &mut Rng, pieces: &[Piece<'_>]) -> String {
    match rng.below(6) {
        0 | 1 => String::from_utf8_lossy(pieces[rng.below(pieces.len())].bytes).into_owned(),
        2 => " ".repeat(rng.below(13)),
        3 => rng
            .pick(&[
                "▁",
                "▁▁",
                "▁▁▁▁▁▁▁",
                "▁ ",
                " ▁",
                "\n",
                "\n\n\n\n",
                "<",
                "\0",
                "\u{301}",
                "👩‍👩‍👧",
                "x",
            ])
            .into(),
        _ => {
            let n_chars = rng.below(9);
            rng.string("aaabbc ▁<>é日👩", n_chars)
        }
    }
}

/// xorshift64
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn string(&mut self, letters: &str, n_chars: usize) -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..n_chars).map(|_| self.pick(&letters)).collect()
    }
}
