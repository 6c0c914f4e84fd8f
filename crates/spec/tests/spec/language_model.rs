//! Gemma 3 run as an embedder, and what a build may choose about any model.

use std::sync::LazyLock;

use crate::judge;
use monomorph_gguf::Error;
use monomorph_gguf::writer::{Value, Writer};
use monomorph_spec::{BuildOptions, Pooling, Spec, Window};
use monomorph_testing::files::{parse, refused};
use monomorph_testing::tiny::{self, Options, Variant};

/// Built once: learning the vocabulary takes a while.
fn gemma3() -> Writer {
    static MODEL: LazyLock<Writer> = LazyLock::new(|| {
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() })
    });
    MODEL.clone()
}

fn with(key: &str, value: impl Into<Value>) -> Result<Spec, Error> {
    judge(&gemma3().set(&format!("gemma3.{key}"), value).to_bytes())
}

fn chosen(file: &Writer, choices: BuildOptions) -> Result<Spec, Error> {
    let bytes = file.to_bytes();
    Spec::from_header_with(&parse(&bytes)?, choices)
}

fn pooled(pooling: Pooling) -> BuildOptions {
    BuildOptions { pooling: Some(pooling), ..BuildOptions::default() }
}

fn window(n_ctx: usize) -> BuildOptions {
    BuildOptions { n_ctx: Some(n_ctx), ..BuildOptions::default() }
}

#[test]
fn a_language_model_is_causal() {
    let spec = judge(&gemma3().to_bytes()).unwrap();
    assert_eq!((spec.variant.as_ref(), spec.causal), (Variant::LanguageModel.words(), true));
    // The window of 16 holds a token and the fifteen before it.
    assert_eq!((spec.layers[0].window, spec.n_ctx), (Window::Sliding(15), 256));
    assert_eq!(spec.score_scale, 1.0 / 32f32.sqrt());
    assert_eq!((spec.ropes[0].base, spec.ropes[1].base), (1e4, 1e6));
    assert_eq!((spec.ropes[0].divisor, spec.ropes[1].divisor), (1.0, 1.0));
    assert_eq!((spec.tokenizer.add_bos, spec.tokenizer.add_eos), (true, false));
    assert!(spec.dense.is_empty() && spec.prompts.is_empty());

    let ollama = tiny::tiny_with(Options { variant: Variant::Ollama, ..Options::default() });
    let ollama = judge(&ollama).unwrap();
    assert_eq!((ollama.architecture, ollama.causal), ("gemma3".into(), false));
    assert_eq!(ollama.layers[0].window, Window::Sliding(8));
}

#[test]
fn a_language_model_takes_the_mean_unless_told_otherwise() {
    assert_eq!(judge(&gemma3().to_bytes()).unwrap().pooling, Pooling::Mean);
    assert_eq!(with("pooling_type", 3).unwrap().pooling, Pooling::Last);
    refused(with("pooling_type", 0), &["gemma3.pooling_type", "0", "1 (mean)"]);
    refused(with("pooling_type", 2), &["cls pooling", "sees nothing of the text"]);
}

#[test]
fn the_builds_choice_of_pooling_goes_before_the_files_word() {
    for pooling in [Pooling::Mean, Pooling::Last] {
        let mut states = gemma3();
        states.set("gemma3.pooling_type", 1);
        for file in [&gemma3(), &states] {
            let spec = chosen(file, pooled(pooling)).unwrap();
            assert_eq!((spec.pooling, spec.options), (pooling, pooled(pooling)));
        }
    }
    refused(
        chosen(&gemma3(), pooled(Pooling::Cls)),
        &["cls pooling", "MONOMORPH_POOLING to mean, last or max"],
    );
    let encoder = tiny::writer(Options::default());
    assert_eq!(chosen(&encoder, pooled(Pooling::Cls)).unwrap().pooling, Pooling::Cls);
}

#[test]
fn the_window_is_what_the_build_chose() {
    let n_ctx = |choices| chosen(&gemma3(), choices).unwrap().n_ctx;
    assert_eq!(
        (n_ctx(BuildOptions::default()), n_ctx(window(100)), n_ctx(window(256))),
        (256, 100, 256)
    );
    refused(chosen(&gemma3(), window(257)), &["MONOMORPH_CONTEXT is 257;", "at most 256 tokens"]);
    // If the model was trained for more, the default is 8192.
    let mut long = gemma3();
    long.set("gemma3.context_length", 131_072);
    assert_eq!(chosen(&long, BuildOptions::default()).unwrap().n_ctx, 8192);
    assert_eq!(chosen(&long, window(131_072)).unwrap().n_ctx, 131_072);
    long.set("gemma3.context_length", 1 << 20);
    refused(chosen(&long, window(1 << 20)), &["MONOMORPH_CONTEXT to at most 524288"]);
}

#[test]
fn positions_of_full_layers_may_be_divided() {
    let scaled = |kind: &str, factor: f32| {
        let mut file = gemma3();
        file.set("gemma3.rope.scaling.type", kind).set("gemma3.rope.scaling.factor", factor);
        judge(&file.to_bytes())
    };
    assert_eq!(scaled("linear", 8.0).unwrap().ropes[1].divisor, 8.0);
    assert_eq!(scaled("none", 8.0).unwrap().ropes[1].divisor, 1.0);
    refused(scaled("linear", 0.0), &["rope.scaling.factor", "above 0"]);
    refused(scaled("linear", 0.5), &["rope.scaling.factor", "at least 1"]);
    assert_eq!(with("rope.scaling.factor", 8.0).unwrap().ropes[1].divisor, 8.0);
    refused(scaled("yarn", 8.0), &["rope.scaling.type", "yarn", "none or linear"]);
    refused(with("rope.scaling.type", "linear"), &["gemma3.rope.scaling.factor is missing"]);
}

/// Gemma 3 27B is recognised by its number of layers. It divides scores by the square root of n_embd / n_head.
#[test]
fn the_largest_gemma_has_a_scale_of_its_own() {
    let mut file = gemma3();
    let layers: Vec<_> = file.tensors.clone();
    for i in 6..62 {
        for tensor in layers.iter().filter(|tensor| tensor.name.starts_with(b"blk.0.")) {
            let name =
                String::from_utf8_lossy(&tensor.name).replace("blk.0.", &format!("blk.{i}."));
            let mut tensor = tensor.clone();
            tensor.name = name.into_bytes();
            file.tensors.push(tensor);
        }
    }
    file.set("gemma3.block_count", 62);
    let spec = judge(&file.to_bytes()).unwrap();
    // n_embd is 128, and there are 3 heads.
    assert_eq!((spec.n_layer(), spec.score_scale), (62, 1.0 / 42f32.sqrt()));
    let full = spec.layers.iter().filter(|layer| layer.window == Window::Full);
    assert_eq!(full.count(), 10);
}
