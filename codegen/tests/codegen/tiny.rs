//! testdata/tiny.gguf is what its generator writes, and a model that this project can run.

use std::collections::HashMap;
use std::path::Path;

use monomorph_gguf::{Header, Piece, PieceKind, TensorType, Vocabulary};
use monomorph_spec::{Spec, Window};
use monomorph_testing::tiny::{self, Options, Variant, tiny, tiny_with};

#[test]
fn tiny_gguf_is_what_the_generator_writes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/tiny.gguf");
    let expected = tiny(TensorType::Q8_0);
    assert!(
        expected.len() < 1 << 20,
        "tiny.gguf would be {} bytes; keep it under 1 MiB",
        expected.len()
    );
    let found = std::fs::read(&path).unwrap_or_default();
    if found != expected {
        std::fs::write(&path, &expected).expect("testdata is writable");
        panic!(
            "testdata/tiny.gguf was not what the generator writes; it has been rewritten: look at the change, then commit it"
        );
    }
}

#[test]
fn every_variant_is_a_model() {
    for weights in [TensorType::Q8_0, TensorType::F32, TensorType::F16, TensorType::BF16] {
        for variant in Variant::ALL {
            let bytes = tiny_with(Options { weights, variant, ..Options::default() });
            let header = Header::parse(&bytes, bytes.len() as u64).unwrap();
            let spec = Spec::from_header(&header).unwrap();
            assert_eq!(spec.variant, variant.words());
            assert!(spec.matrices().all(|matrix| matrix.kind == weights));
            assert_eq!(spec.embedding.tokens.kind, weights);
            assert_eq!(spec.dense.len(), variant.dense_names().len());
            assert_eq!(spec.causal, variant == Variant::LanguageModel);
            assert_eq!(spec.tokenizer.add_eos, !spec.causal);
            let sliding = Window::Sliding(if spec.causal { 15 } else { 8 });
            for (i, layer) in spec.layers.iter().enumerate() {
                assert_eq!(layer.window, if i == 5 { Window::Full } else { sliding });
            }
        }
    }
}

/// A vocabulary with pieces that merging never reaches would test less than it seems to.
#[test]
fn every_normal_piece_is_reached_by_merging() {
    let bytes = tiny(TensorType::Q8_0);
    let header = Header::parse(&bytes, bytes.len() as u64).unwrap();
    let pieces: Vec<Piece<'_>> = Vocabulary::from_header(&header).unwrap().iter().collect();
    let normal = pieces.iter().filter(|piece| piece.kind == PieceKind::Normal);
    let texts = normal.map(|piece| (std::str::from_utf8(piece.bytes).unwrap(), piece.score));
    let scores: HashMap<&str, f32> = texts.collect();
    for text in scores.keys() {
        assert_eq!(merged(text, &scores), [*text]);
    }
}

#[test]
fn vocabulary_has_every_kind_of_piece() {
    let pieces = tiny::vocabulary();
    let count = |kind| pieces.iter().filter(|piece| piece.kind == kind).count();
    assert!((650..=800).contains(&pieces.len()), "{} pieces", pieces.len());
    assert_eq!(count(PieceKind::Byte), 256);
    assert!(count(PieceKind::Control) > 10 && count(PieceKind::UserDefined) > 40);
    let has = |text: &str| pieces.iter().any(|piece| piece.text == text);
    assert!(has("▁") && has("▁the") && has("ü") && has("人") && has("\n\n") && has("  "));
    assert!(!has("~") && !has("🙂") && !has("▁▁"));
    let mut texts: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), pieces.len(), "a piece is listed twice");
}

/// Merging as the model defines it, written naively: the best-scored pair first, the leftmost of several.
fn merged(text: &str, scores: &HashMap<&str, f32>) -> Vec<String> {
    let mut parts: Vec<String> = text.chars().map(String::from).collect();
    loop {
        let pairs = parts.windows(2).enumerate();
        let scored = pairs.filter_map(|(i, pair)| Some((i, *scores.get(pair.concat().as_str())?)));
        let best = scored.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let Some((i, _)) = best else { return parts };
        let right = parts.remove(i + 1);
        parts[i].push_str(&right);
    }
}
