//! Files from other writers and of older versions. Those that can be understood give the same vectors; the rest are
//! refused with a reason.

use crate::support::{TinyModel, bits, forward, scratch_file};
use monomorph::tokenizer::Tokenizer;
use monomorph_codegen::{Generated, vocab};
use monomorph_encoder::threads::Team;
use monomorph_gguf::Header;
use monomorph_gguf::writer::{Value, Writer};
use monomorph_spec::{BuildOptions, Pooling, Spec};
use monomorph_testing::tiny::{self, Options, Variant};

/// A text with pieces from every part of the vocabulary.
const IDS: [u32; 9] = [2, 700, 300, 41, 5, 640, 512, 240, 1];

fn writer(variant: Variant) -> Writer {
    tiny::writer(Options { variant, ..Options::default() })
}

/// The bits of the vector, on which all instruction sets must agree. Also checks that a build for the file works.
#[track_caller]
fn embed(name: &str, file: &Writer) -> Vec<u32> {
    let model = TinyModel::from_bytes(&format!("odd-{name}"), file.to_bytes());
    Generated::from_file(&model.path, BuildOptions::default()).expect("a build");
    let vectors = model.encoders(&model.spec).into_iter().map(|(_, encoder)| {
        bits(&forward(&*encoder, &Team::solo(), model.spec.n_embd, &[&IDS])).remove(0)
    });
    let mut vectors: Vec<Vec<u32>> = vectors.collect();
    vectors.dedup();
    assert_eq!(vectors.len(), 1, "{name}: instruction sets differ");
    vectors.remove(0)
}

/// A build's reason to refuse a file.
#[track_caller]
fn refusal(name: &str, file: &Writer) -> String {
    let path = scratch_file(&format!("odd-{name}.gguf"));
    std::fs::write(&path, file.to_bytes()).expect("the folder is writable");
    match Generated::from_file(&path, BuildOptions::default()) {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn version_2_and_other_alignments_give_the_same_vectors() {
    let plain = writer(Variant::WithDense);
    let expected = embed("plain", &plain);
    assert!(expected.iter().all(|x| f32::from_bits(*x).is_finite()));
    let mut old = plain.clone();
    old.version = 2;
    assert_eq!(embed("version-2", &old), expected);
    for alignment in [8, 16, 64, 4096, 65_536] {
        let mut file = plain.clone();
        file.alignment = alignment;
        assert_eq!(embed(&format!("alignment-{alignment}"), &file), expected, "{alignment}");
        file.version = 2;
        assert_eq!(embed(&format!("old-alignment-{alignment}"), &file), expected, "{alignment}");
    }
}

/// Ollama's files omit the base of the sliding layers, which is 10,000.
#[test]
fn a_missing_rope_base_of_sliding_layers_is_ten_thousand() {
    let key = "gemma-embedding.rope.freq_base_swa";
    let plain = writer(Variant::WithDense);
    let mut missing = plain.clone();
    missing.remove(key);
    assert_eq!(embed("no-base", &missing), embed("base", &plain));
    let mut other = plain;
    other.set(key, 20_000.0);
    assert_ne!(embed("other-base", &other), embed("no-base", &missing), "it does matter");
    let ollama = writer(Variant::Ollama);
    let mut stated = ollama.clone();
    stated.set("gemma3.rope.freq_base_swa", 10_000.0);
    assert_eq!(embed("ollama", &ollama), embed("ollama-base", &stated));
}

/// EmbeddingGemma was trained with the mean; the build says that it takes the mean.
#[test]
fn a_missing_pooling_type_is_the_mean() {
    for (shape, key) in [
        (Variant::Ollama, "gemma3.pooling_type"),
        (Variant::WithDense, "gemma-embedding.pooling_type"),
    ] {
        let plain = writer(shape);
        let mut missing = plain.clone();
        missing.remove(key);
        let name = format!("no-pooling-{shape:?}");
        assert_eq!(embed(&name, &missing), embed(&format!("{name}-stated"), &plain));
        let path = scratch_file(&format!("odd-{name}.gguf"));
        std::fs::write(&path, missing.to_bytes()).expect("the folder is writable");
        let warnings =
            Generated::from_file(&path, BuildOptions::default()).expect("a build").spec.notes;
        assert!(warnings.len() == 1 && warnings[0].contains(key), "{warnings:?}");
        let chosen = BuildOptions { pooling: Some(Pooling::Mean), ..BuildOptions::default() };
        assert!(Generated::from_file(&path, chosen).expect("a build").spec.notes.is_empty());
    }
}

/// Without kinds, control pieces, bytes and runs of spaces would be read as plain text, which gives other ids and other
/// vectors.
#[test]
fn missing_kinds_of_pieces_are_not_guessed() {
    let key = "tokenizer.ggml.token_type";
    let mut file = writer(Variant::WithDense);
    file.remove(key);
    assert_eq!(refusal("no-kinds", &file), format!("metadata key {key} is missing"));
}

/// Converters pad a vocabulary to the number of rows of the embeddings, with pieces that no text contains.
#[test]
fn unused_pieces_at_the_end_change_nothing() {
    const PADDING: usize = 64;
    let plain = writer(Variant::WithDense);
    let n = tiny::vocabulary().len();
    let mut padded = plain.clone();
    for (_, value) in &mut padded.metadata {
        match value {
            Value::Strings(list) if list.len() == n => {
                list.extend((n..n + PADDING).map(|id| format!("[PAD{id}]").into_bytes()));
            }
            Value::F32s(list) if list.len() == n => list.extend([-10_000.0; PADDING]),
            Value::I32s(list) if list.len() == n => list.extend([5; PADDING]),
            _ => {}
        }
    }
    let embeddings = padded.tensor_mut("token_embd.weight").expect("the embeddings");
    let row = embeddings.data.len() / n;
    embeddings.dims[1] += PADDING as u64;
    embeddings.data.extend(vec![0x11; PADDING * row]);
    assert_eq!(embed("padded", &padded), embed("unpadded", &plain));

    let [with, without] = [&padded, &plain].map(|file| {
        let bytes = file.to_bytes();
        let header = Header::parse(&bytes, bytes.len() as u64).expect("a header");
        let special = Spec::from_header(&header).expect("a model").tokenizer;
        Tokenizer::new(vocab::build(&header, &special).expect("a vocabulary").leak())
    });
    assert_eq!(with.n_vocab(), without.n_vocab() + PADDING);
    for text in ["the end of the day", "[PAD720] and [PAD780]", "\n\n  <bos>", "Größe 人人"] {
        assert_eq!(with.encode(text, 256), without.encode(text, 256), "{text:?}");
    }
}
