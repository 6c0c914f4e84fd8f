//! The differences between two models, in words.

use crate::judge;
use monomorph_gguf::TensorType;
use monomorph_testing::tiny::{self, Options, Variant};

#[test]
fn differences_are_named() {
    let build = judge(&tiny::tiny(TensorType::Q8_0)).unwrap();
    assert!(build.differences(&build).is_empty());
    let bf16 = judge(&tiny::tiny(TensorType::BF16)).unwrap();
    let found = bf16.differences(&build);
    assert!(
        found.contains(&"tensor token_embd.weight: BF16 here, Q8_0 in the build".to_owned()),
        "{found:?}"
    );
    assert_eq!(found.len(), 4, "three and a count: {found:?}");
    assert!(found[3].starts_with("and ") && found[3].ends_with(" more"), "{found:?}");

    let ollama = Options { variant: Variant::Ollama, ..Options::default() };
    let other = judge(&tiny::tiny_with(ollama)).unwrap();
    let found = other.differences(&build).join("\n");
    for words in ["architecture: \"gemma3\" here, \"gemma-embedding\" in the build", "variant: "] {
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
    assert_eq!(narrower.differences(&build), ["layers[0].window: 6 here, 8 in the build"]);

    let language_model =
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() });
    let build = judge(&language_model.to_bytes()).unwrap();
    let mut scaled = language_model;
    scaled.set("gemma3.rope.scaling.type", "linear").set("gemma3.rope.scaling.factor", 8.0);
    let scaled = judge(&scaled.to_bytes()).unwrap();
    assert_eq!(scaled.differences(&build), ["ropes[1].divisor: 8.0 here, 1.0 in the build"]);
    let mut rotated =
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() });
    rotated.set("gemma3.rope.freq_base", 2e6);
    let rotated = judge(&rotated.to_bytes()).unwrap();
    assert_eq!(
        rotated.differences(&build),
        ["ropes[1].base: 2000000.0 here, 1000000.0 in the build"]
    );
    let mut causal = build.clone();
    (causal.causal, causal.score_scale) = (false, 0.5);
    let found = build.differences(&causal);
    assert_eq!(found[0], "causal: true here, false in the build");
    assert!(found[1].ends_with(", 0.5 in the build"), "{found:?}");
}
