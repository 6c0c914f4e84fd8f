//! A vocabulary is read as it was written. Malformed ones are among the cases of `crates/spec/tests/spec/malformed.rs`.

use monomorph_gguf::{PieceKind, Vocabulary};
use monomorph_testing::files::parse;
use monomorph_testing::tiny;

#[test]
fn vocabulary_yields_what_was_written() {
    let bytes = tiny::tiny(monomorph_gguf::TensorType::Q8_0);
    let header = parse(&bytes).unwrap();
    let vocabulary = Vocabulary::from_header(&header).unwrap();
    let written = tiny::vocabulary();
    assert_eq!(vocabulary.len(), written.len());
    for (piece, expected) in vocabulary.iter().zip(&written) {
        assert_eq!((piece.bytes, piece.score), (expected.text.as_bytes(), expected.score));
        assert_eq!(piece.kind, expected.kind);
    }
    let bytes: Vec<u8> = vocabulary.iter().filter_map(|piece| piece.byte()).collect();
    assert!(bytes.iter().copied().eq(0..=255));
    assert_eq!(vocabulary.iter().nth(2).map(|piece| piece.kind), Some(PieceKind::Control));
}
