//! Token ids of each family's original tokenizer, over the vocabulary that the models come with: 1,500 texts with
//! accents, scripts, odd white space, control characters and special tokens. No model is needed;
//! testdata/golden/families/make.py made the data.

use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::vocab::{build_from, build_from_merges};
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::{Algorithm, Split, TokenizerSpec, WordNormalizer};

use crate::tokenizer_golden::Case;
use std::path::Path;

/// BERT's tokenizer.
const BERT: TokenizerSpec = TokenizerSpec {
    algorithm: Algorithm::WordPiece(WordNormalizer { lowercase: true, strip_accents: true }),
    bos: 101,
    eos: 102,
    unknown: Some(100),
    add_bos: true,
    add_eos: true,
    add_space_prefix: false,
};

#[test]
fn minilm() {
    check("minilm", "bert-uncased", BERT);
}

/// The same vocabulary, but a tokenizer that keeps case and accents.
#[test]
fn cased() {
    let as_it_is = WordNormalizer { lowercase: false, strip_accents: false };
    let special = TokenizerSpec { algorithm: Algorithm::WordPiece(as_it_is), ..BERT };
    check("cased-tiny", "bert-uncased", special);
}

/// XLM-RoBERTa's tokenizer, with the mask where make.py puts it.
const XLM_ROBERTA: TokenizerSpec = TokenizerSpec {
    algorithm: Algorithm::Unigram,
    bos: 0,
    eos: 2,
    unknown: Some(3),
    add_space_prefix: true,
    ..BERT
};

#[test]
fn multilingual_e5() {
    check("e5-small", "xlm-roberta", XLM_ROBERTA);
}

/// The same vocabulary and tokenizer with other texts.
#[test]
fn xlm_roberta() {
    check("xlmr-tiny", "xlm-roberta", XLM_ROBERTA);
}

/// Qwen3-Embedding's tokenizer, which ends a text with this token and begins it with none.
#[test]
fn qwen3() {
    let pieces = pieces("qwen2");
    let eos = id(&pieces, "<|endoftext|>");
    let algorithm = Algorithm::ByteLevel(Split::Qwen2);
    let special = TokenizerSpec { algorithm, bos: eos, eos, unknown: None, add_bos: false, ..BERT };
    check("qwen3-tiny", "qwen2", special);
}

#[test]
fn modern_bert() {
    let pieces = pieces("modern-bert");
    let [bos, eos] = ["[CLS]", "[SEP]"].map(|mark| id(&pieces, mark));
    let algorithm = Algorithm::ByteLevel(Split::Gpt2);
    check(
        "modern-tiny",
        "modern-bert",
        TokenizerSpec { algorithm, bos, eos, unknown: None, ..BERT },
    );
}

fn check(model: &str, vocabulary: &str, special: TokenizerSpec) {
    let pieces = pieces(vocabulary);
    let blob = match special.algorithm {
        Algorithm::ByteLevel(_) => {
            let merges = lines(&format!("{vocabulary}.merges.txt"));
            build_from_merges(&pieces, &merges, &special)
        }
        Algorithm::Unigram => {
            let charsmap = testdata(&format!("golden/families/{vocabulary}.charsmap"));
            build_from(&pieces, &charsmap, &special)
        }
        _ => build_from(&pieces, &[], &special),
    };
    let tokenizer = Tokenizer::new(blob.expect("a vocabulary").leak());
    let cases = testdata(&format!("golden/families/{model}.tokens.jsonl"));
    let cases = std::str::from_utf8(&cases).expect("UTF-8").lines();
    let cases: Vec<Case> =
        cases.map(|line| serde_json::from_str(line).expect("one case a line")).collect();
    assert_eq!(cases.len(), 1500);
    for case in cases {
        let got = tokenizer.encode(case.text(), usize::MAX);
        assert_eq!(got.ids, case.digits(), "{:?}", case.text());
        assert_eq!((got.dropped, got.dropped_is_exact), (0, true), "{:?}", case.text());
    }
}

fn pieces(vocabulary: &str) -> Vec<Piece<'static>> {
    lines(&format!("{vocabulary}.vocabulary.tsv")).into_iter().map(piece).collect()
}

fn id(pieces: &[Piece<'_>], text: &str) -> u32 {
    let id = pieces.iter().position(|piece| piece.bytes == text.as_bytes());
    id.expect("a piece of the vocabulary") as u32
}

fn lines(name: &str) -> Vec<&'static [u8]> {
    let lines = testdata(&format!("golden/families/{name}")).leak();
    lines.strip_suffix(b"\n").expect("whole lines").split(|&byte| byte == b'\n').collect()
}

fn testdata(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::read(folder.join(name)).expect("a file of testdata")
}

/// A piece, its kind where it is not a normal one, and its score where the file has scores.
fn piece(line: &'static [u8]) -> Piece<'static> {
    let mut columns = line.split(|&byte| byte == b'\t');
    let bytes = columns.next().expect("a piece");
    let mut number = || columns.next().map(|text| std::str::from_utf8(text).expect("a number"));
    let kind = match number() {
        None | Some("1") => PieceKind::Normal,
        Some("2") => PieceKind::Unknown,
        Some("3") => PieceKind::Control,
        Some("4") => PieceKind::UserDefined,
        Some("5") => PieceKind::Unused,
        Some(other) => panic!("a piece of kind {other}"),
    };
    let score = number().map_or(0.0, |text| text.parse().expect("a score"));
    Piece { bytes, score, kind }
}
