//! Token ids of each family's original tokenizer, over the vocabulary that the models come with: 1,500 texts with
//! accents, scripts, odd white space, control characters and special tokens. No model is needed;
//! testdata/golden/families/make.py made the data.

use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::vocab::build_from;
use monomorph_gguf::{Piece, PieceKind};
use monomorph_spec::{Algorithm, TokenizerSpec, WordNormalizer};

use crate::tokenizer_golden::Case;
use std::path::Path;

/// BERT's marks.
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

fn check(model: &str, vocabulary: &str, special: TokenizerSpec) {
    let lines = testdata(&format!("golden/families/{vocabulary}.vocabulary.tsv")).leak();
    let lines = lines.strip_suffix(b"\n").expect("whole lines").split(|&byte| byte == b'\n');
    let pieces: Vec<Piece<'static>> = lines.map(piece).collect();
    let tokenizer = Tokenizer::new(build_from(&pieces, &special).expect("a vocabulary").leak());
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

fn testdata(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::read(folder.join(name)).expect("a file of testdata")
}

/// A piece, followed by a tab and its kind where it is not a normal one.
fn piece(line: &'static [u8]) -> Piece<'static> {
    let (bytes, kind) = match line.iter().position(|&byte| byte == b'\t') {
        None => (line, PieceKind::Normal),
        Some(tab) => match line[tab + 1] {
            b'3' => (&line[..tab], PieceKind::Control),
            b'5' => (&line[..tab], PieceKind::Unused),
            other => panic!("a piece of kind {}", other as char),
        },
    };
    Piece { bytes, score: 0.0, kind }
}
