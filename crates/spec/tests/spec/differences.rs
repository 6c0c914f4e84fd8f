//! The differences between two models, in words.

use crate::judge;
use monomorph_gguf::TensorType;
use monomorph_gguf::writer::{Value, Writer};
use monomorph_spec::fingerprint::vocabulary_hash;
use monomorph_testing::files::parse;
use monomorph_testing::tiny::{self, Options, Variant};

#[test]
fn differences_are_named() {
    let build = judge(&tiny::tiny(TensorType::Q8_0)).unwrap();
    assert!(build.differences(&build).is_empty());
    let bf16 = judge(&tiny::tiny(TensorType::BF16)).unwrap();
    let found = bf16.differences(&build);
    assert!(
        found.contains(
            &"tensor token_embd.weight: BF16 in this file, Q8_0 in the build's".to_owned()
        ),
        "{found:?}"
    );
    assert_eq!(found.len(), 4, "three and a count: {found:?}");
    assert!(found[3].starts_with("and ") && found[3].ends_with(" more"), "{found:?}");

    let ollama = Options { variant: Variant::Ollama, ..Options::default() };
    let other = judge(&tiny::tiny_with(ollama)).unwrap();
    let found = other.differences(&build).join("\n");
    for words in
        ["architecture: \"gemma3\" in this file, \"gemma-embedding\" in the build's", "variant: "]
    {
        assert!(found.contains(words), "{found}");
    }
    let mut renamed = tiny::writer(Options::default());
    renamed.set("general.name", "Another name");
    let renamed = judge(&renamed.to_bytes()).unwrap();
    let moved =
        |found: &[String]| found.iter().all(|d| d.contains("at byte") || d.contains("more"));
    assert!(moved(&renamed.differences(&build)), "the name itself is not a difference");

    let mut narrower = tiny::writer(Options::default());
    narrower.set("gemma-embedding.attention.sliding_window", 12);
    let narrower = judge(&narrower.to_bytes()).unwrap();
    assert_eq!(
        narrower.differences(&build),
        ["layers[0].window: 6 in this file, 8 in the build's"]
    );

    let language_model =
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() });
    let build = judge(&language_model.to_bytes()).unwrap();
    let mut scaled = language_model;
    scaled.set("gemma3.rope.scaling.type", "linear").set("gemma3.rope.scaling.factor", 8.0);
    let scaled = judge(&scaled.to_bytes()).unwrap();
    assert_eq!(
        scaled.differences(&build),
        ["ropes[1].divisor: 8.0 in this file, 1.0 in the build's"]
    );
    let mut rotated =
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() });
    rotated.set("gemma3.rope.freq_base", 2e6);
    let rotated = judge(&rotated.to_bytes()).unwrap();
    assert_eq!(
        rotated.differences(&build),
        ["ropes[1].base: 2000000.0 in this file, 1000000.0 in the build's"]
    );
    let mut causal = build.clone();
    (causal.causal, causal.score_scale) = (false, 0.5);
    let found = build.differences(&causal);
    assert_eq!(found[0], "causal: true in this file, false in the build's");
    assert!(found[1].ends_with(", 0.5 in the build's"), "{found:?}");
}

/// Everything that the vocabulary's tables are made of is part of its hash.
#[test]
fn the_vocabulary_has_a_hash() {
    let hash = |change: &dyn Fn(&mut Writer)| {
        let mut file = tiny::writer(Options::default());
        change(&mut file);
        let bytes = file.to_bytes();
        vocabulary_hash(&parse(&bytes).unwrap()).unwrap()
    };
    let map = |bytes: &'static [i32]| {
        move |file: &mut Writer| {
            file.set("tokenizer.ggml.precompiled_charsmap", Value::I32s(bytes.to_vec()));
        }
    };
    let merges = |merge: &'static str| {
        move |file: &mut Writer| {
            file.set("tokenizer.ggml.merges", Value::Strings(vec![merge.into()]));
        }
    };
    let mask = |id: u32| {
        move |file: &mut Writer| {
            file.set("tokenizer.ggml.mask_token_id", id);
        }
    };
    let hashes = [
        hash(&|_| ()),
        hash(&map(&[1, 2])),
        hash(&map(&[1, 3])),
        hash(&merges("a b")),
        hash(&merges("b a")),
        hash(&mask(4)),
        hash(&mask(5)),
    ];
    assert!(hashes.iter().all(|a| hashes.iter().filter(|b| a == *b).count() == 1), "{hashes:?}");
    let renamed = |file: &mut Writer| {
        file.set("general.name", "Another name");
    };
    assert_eq!(hash(&renamed), hashes[0]);
}
