//! Vocabularies: what is written is read, and what disagrees is refused.

mod support;
#[path = "../../tests/support/tiny.rs"]
mod tiny;

use std::sync::LazyLock;

use monomorph_gguf::writer::{Tensor, Value, Writer};
use monomorph_gguf::{PieceKind, Spec, Vocabulary};
use support::{judge, parse, refused};
use tiny::Options;

/// Built once: learning the vocabulary takes a while.
fn model() -> Writer {
    static MODEL: LazyLock<Writer> = LazyLock::new(|| tiny::writer(Options::default()));
    MODEL.clone()
}

/// Judges the tiny model after a change to its metadata.
fn with(key: &str, value: impl Into<Value>) -> Result<Spec, monomorph_gguf::Error> {
    judge(&model().set(key, value).to_bytes())
}

fn with_tensor(
    name: &str,
    change: impl FnOnce(&mut Tensor),
) -> Result<Spec, monomorph_gguf::Error> {
    let mut file = model();
    change(file.tensor_mut(name).unwrap());
    judge(&file.to_bytes())
}

#[test]
fn vocabularies_that_disagree() {
    let n = tiny::vocabulary().len();
    let fewer = format!("{} entries", n - 1);
    let scores = Value::F32s(vec![0.0; n - 1]);
    refused(
        with("tokenizer.ggml.scores", scores),
        &["tokenizer.ggml.scores", &fewer, &format!("expected {n}")],
    );
    let kinds = Value::I32s(vec![1; n - 1]);
    refused(with("tokenizer.ggml.token_type", kinds), &["tokenizer.ggml.token_type", &fewer]);
    let found = with_tensor("token_embd.weight", |tensor| tensor.dims[1] -= 1);
    refused(found, &["token_embd.weight", &format!("[128, {}]", n - 1), &format!("[128, {n}]")]);
    for key in ["bos", "eos", "unknown", "padding"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        for id in [n as u32, u32::MAX] {
            refused(with(&key, id), &[&key, &id.to_string(), &format!("{n} pieces")]);
        }
    }
    refused(with("tokenizer.ggml.model", "gpt2"), &["tokenizer.ggml.model", "gpt2", "llama"]);
}

/// CVE-2025-49847 among them.
#[test]
fn vocabularies_with_impossible_entries() {
    let change = |id: usize, text: &[u8], score: f32, kind: i32| {
        let pieces = tiny::vocabulary();
        let mut texts: Vec<Vec<u8>> =
            pieces.iter().map(|piece| piece.text.clone().into_bytes()).collect();
        let mut scores: Vec<f32> = pieces.iter().map(|piece| piece.score).collect();
        let mut kinds: Vec<i32> = pieces.iter().map(|piece| piece.kind as i32).collect();
        (texts[id], scores[id], kinds[id]) = (text.to_vec(), score, kind);
        let mut file = model();
        file.set("tokenizer.ggml.tokens", Value::Strings(texts))
            .set("tokenizer.ggml.scores", Value::F32s(scores))
            .set("tokenizer.ggml.token_type", Value::I32s(kinds));
        judge(&file.to_bytes())
    };
    change(700, b"x", 0.0, 5).unwrap();
    refused(change(700, b"", 0.0, 1), &["tokenizer.ggml.tokens", "piece 700 of 0 bytes"]);
    refused(
        change(700, &[b'x'; 65_537], 0.0, 1),
        &["tokenizer.ggml.tokens", "piece 700 of 65537 bytes"],
    );
    for score in [f32::NAN, f32::INFINITY] {
        refused(
            change(700, b"x", score, 1),
            &["tokenizer.ggml.scores", "for piece 700", "a finite number"],
        );
    }
    for kind in [0, 7, -1, i32::MAX] {
        refused(
            change(700, b"x", 0.0, kind),
            &["tokenizer.ggml.token_type", "for piece 700", "1 to 6"],
        );
    }
    for text in ["<0x0>", "<0x100>", "<0xGG>", "<0x+1>", "a", "\n"] {
        refused(
            change(700, text.as_bytes(), 0.0, 6),
            &["tokenizer.ggml.tokens", "piece 700", "<0x00> to <0xFF>"],
        );
    }
}

#[test]
fn vocabulary_yields_what_was_written() {
    let bytes = model().to_bytes();
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
