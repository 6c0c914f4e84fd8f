//! What a well-formed file must say to be a model that this version runs. Files that attack the reader are in
//! malformed.rs.

use std::sync::LazyLock;

use crate::judge;
use monomorph_gguf::writer::{Tensor, Value, Writer};
use monomorph_spec::{NormKind, Pooling, Rope, Spec, Window};
use monomorph_testing::Random;
use monomorph_testing::files::{parse, refused};
use monomorph_testing::tiny::{self, Options, Variant};

/// Built once: learning the vocabulary takes a while.
fn model() -> Writer {
    static MODEL: LazyLock<Writer> = LazyLock::new(|| tiny::writer(Options::default()));
    MODEL.clone()
}

fn ollama() -> Writer {
    tiny::writer(Options { variant: Variant::Ollama, ..Options::default() })
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

fn without_tensor(mut file: Writer, name: &str) -> Result<Spec, monomorph_gguf::Error> {
    file.tensors.retain(|tensor| tensor.name != name.as_bytes());
    judge(&file.to_bytes())
}

#[test]
fn the_tiny_model_is_what_it_says() {
    let spec = judge(&model().to_bytes()).unwrap();
    assert_eq!(
        (spec.name.as_ref(), spec.architecture.as_ref()),
        ("Monomorph Tiny", "gemma-embedding")
    );
    assert_eq!(
        (spec.n_embd, spec.n_ff, spec.n_head, spec.n_head_kv, spec.head_dim),
        (128, 160, 3, 1, 32)
    );
    assert_eq!((spec.n_layer(), spec.n_ctx, spec.causal), (6, 256, false));
    assert_eq!((spec.norm, spec.pooling), (NormKind::Rms(1e-6), Pooling::Mean));
    let rope = |base| Rope { head_dim: 32, base, divisor: 1.0 };
    let ropes = [rope(1e4), rope(1e6)];
    assert_eq!((&spec.ropes[..], spec.variant.as_ref()), (&ropes[..], "with dense heads"));
    let (sliding, full) = ((Window::Sliding(8), Some(0)), (Window::Full, Some(1)));
    let layers: Vec<_> = spec.layers.iter().map(|layer| (layer.window, layer.rope)).collect();
    assert_eq!(layers, [sliding, sliding, sliding, sliding, sliding, full]);
    let down = spec.layers[2].block.down.weight;
    assert_eq!((down.rows, down.cols), (128, 160));
    assert_eq!((spec.dense[0].weight.rows, spec.dense[0].weight.cols), (256, 128));
    let tokenizer = spec.tokenizer;
    assert_eq!((tokenizer.bos, tokenizer.eos, tokenizer.unknown), (2, 1, Some(3)));
    assert!(tokenizer.add_bos && tokenizer.add_eos && !tokenizer.add_space_prefix);
    assert_eq!(spec.tensors().count(), 1 + 6 * 13 + 1 + 2);
}

/// Every tensor of the spec is the file's tensor of that name, in all variants.
#[test]
fn tensors_keep_their_names_and_places() {
    for variant in Variant::ALL {
        let bytes = tiny::tiny_with(Options { variant, ..Options::default() });
        let header = parse(&bytes).unwrap();
        let spec = Spec::from_header(&header).unwrap();
        assert_eq!(spec.variant, variant.words());
        assert_eq!(spec.tensors().count(), header.tensors.len());
        for (name, tensor) in spec.tensors() {
            let info = header.tensor(&name).unwrap();
            assert_eq!(
                (tensor.kind, tensor.offset, tensor.n_bytes),
                (info.kind, info.absolute_offset, info.n_bytes)
            );
            assert_eq!(
                (tensor.cols as u64, tensor.rows as u64),
                (info.dims[0], info.dims[1]),
                "{name}"
            );
        }
    }
}

#[test]
fn other_architectures_are_refused_by_name() {
    refused(
        with("general.architecture", "llama"),
        &["general.architecture is llama", "supported: gemma-embedding"],
    );
    refused(
        judge(&model().remove("general.architecture").to_bytes()),
        &["general.architecture is missing"],
    );
    refused(without_tensor(ollama(), "dense.0.weight"), &["tensor dense.0.weight is missing"]);
    let mut neither = ollama();
    neither.tensors.retain(|tensor| !tensor.name.starts_with(b"dense"));
    refused(judge(&neither.to_bytes()), &["tensor output_norm.weight is missing"]);
}

#[test]
fn terms_that_need_a_notice_are_found_by_what_the_file_states() {
    let needs_notice = |file: &Writer| judge(&file.to_bytes()).unwrap().license.notice.is_some();
    // The tiny model states a licence of its own.
    assert!(!needs_notice(&model()));
    assert!(needs_notice(model().remove("general.license")), "the architecture's terms");
    for (key, value, expected) in [
        ("general.license", "gemma", true),
        ("general.license", "Gemma", true),
        ("general.license", "gemma-like", false),
        ("general.license.name", "Gemma Terms of Use", true),
        ("general.license.link", "https://ai.google.dev/gemma/terms", true),
    ] {
        assert_eq!(needs_notice(model().set(key, value)), expected, "{key}: {value}");
    }
}

#[test]
fn what_a_model_was_made_from_is_told() {
    let license = |file: &Writer| judge(&file.to_bytes()).unwrap().license;
    assert_eq!((license(&model()).origin, license(&model()).description), (None, None));
    let mut file = model();
    file.set("general.base_model.0.name", "That")
        .set("general.description", "Changed. ".repeat(20).as_str());
    assert_eq!(license(&file).origin.as_deref(), Some("That"));
    file.set("general.base_model.0.organization", "Them");
    file.set("general.base_model.0.repo_url", "https://there");
    let license = license(&file);
    assert_eq!(license.origin.as_deref(), Some("That by Them (https://there)"));
    assert_eq!(license.description, Some("Changed. ".repeat(20).into()));
}

/// llama.cpp's tool writes these keys; only the first part also has the model's own.
#[test]
fn parts_of_a_split_model_name_the_command_that_merges_them() {
    let u16 = |x: u16| Value::Raw(2, x.to_le_bytes().to_vec());
    let mut first = model();
    first.set("split.no", u16(0)).set("split.count", u16(3)).set("split.tensors.count", 81);
    let merge = "llama-gguf-split --merge NAME-00001-of-00003.gguf NAME.gguf";
    refused(judge(&first.to_bytes()), &["split.count is 3", "part 1", merge]);
    let mut second = Writer::new();
    second.set("split.no", u16(1)).set("split.count", u16(3));
    refused(Spec::from_header(&parse(&second.to_bytes()).unwrap()), &["part 2", merge]);
    with("split.count", u16(1)).unwrap();
    refused(with("split.count", "3"), &["split.count", "string \"3\""]);
}

#[test]
fn integers_of_any_width_will_do() {
    let wide = with("gemma-embedding.block_count", Value::Raw(10, 6u64.to_le_bytes().to_vec()));
    assert_eq!(wide.unwrap().n_layer(), 6);
}

#[test]
fn every_key_and_tensor_is_needed_unless_it_has_a_default() {
    let optional = [
        "general.type",
        "general.name",
        "general.license",
        "dense_2_feat_in",
        "dense_2_feat_out",
        "dense_3_feat_in",
        "dense_3_feat_out",
        "pooling_type",
        "rope.freq_base_swa",
        "tokenizer.ggml.pre",
        "tokenizer.ggml.unknown_token_id",
        "tokenizer.ggml.padding_token_id",
        "tokenizer.ggml.add_bos_token",
        "tokenizer.ggml.add_space_prefix",
    ];
    for (key, _) in model().metadata {
        let found = judge(&model().remove(&key).to_bytes());
        match optional.iter().any(|name| key.ends_with(name)) {
            true => assert!(found.is_ok(), "{key}: {found:?}"),
            false => refused(found, &[&key, "missing"]),
        }
    }
    for tensor in model().tensors {
        let name = String::from_utf8(tensor.name).unwrap();
        refused(without_tensor(model(), &name), &[&name, "missing"]);
    }
}

#[test]
fn hyper_parameters_that_ask_for_more_than_there_is() {
    let mut unmarked = model();
    unmarked.set("tokenizer.ggml.add_bos_token", false).set("tokenizer.ggml.add_eos_token", false);
    refused(judge(&unmarked.to_bytes()), &["add_eos_token", "an empty text needs a token"]);
    refused(with("gemma-embedding.rope.scaling.type", "yarn"), &["rope.scaling.type", "yarn"]);
    refused(
        with("gemma-embedding.attention.sliding_window_pattern", 4),
        &["sliding_window_pattern", "u32 4"],
    );
    with("gemma-embedding.attention.sliding_window_pattern", 6).unwrap();
    let flags = |last| {
        Value::Raw(9, [&[7, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0][..], &[1, 1, 1, 1, 1, last]].concat())
    };
    with("gemma-embedding.attention.sliding_window_pattern", flags(0)).unwrap();
    refused(
        with("gemma-embedding.attention.sliding_window_pattern", flags(1)),
        &["sliding_window_pattern"],
    );
}

#[test]
fn a_file_that_asks_for_another_computation_is_refused() {
    let stated = |key: &str, value: Value| with(&format!("gemma-embedding.{key}"), value);
    // The width of a head is 32, and scores are scaled by one over its root.
    let scale = Value::Raw(12, (1.0 / 32f64.sqrt()).to_le_bytes().to_vec());
    for (key, value) in [
        ("attention.causal", false.into()),
        ("rope.dimension_count", 32.into()),
        ("attention.scale", scale),
        ("attention.scale", 0.0.into()),
        ("attn_logit_softcapping", 0.0.into()),
        // Of the language model's head only, which no vector comes from.
        ("final_logit_softcapping", 30.0.into()),
    ] {
        let found = stated(key, value);
        assert!(found.is_ok(), "{key}: {found:?}");
    }
    for (key, value, words) in [
        ("attention.causal", true.into(), ["true", "expected false", "with dense heads"]),
        ("attention.causal", 0.into(), ["u32 0", "a bool", ""]),
        ("rope.dimension_count", 16.into(), ["16", "expected 32", "width of a head"]),
        ("attention.scale", 0.125.into(), ["0.125", "0.1767", ""]),
        ("attention.scale", f32::NAN.into(), ["NaN", "0.1767", ""]),
        ("attn_logit_softcapping", 50.0.into(), ["50", "expected 0", "does not compute it"]),
        ("attention.clamp_kqv", 8.0.into(), ["8", "expected 0", "does not compute it"]),
        ("attention.max_alibi_bias", 8.0.into(), ["8", "expected 0", "does not compute it"]),
    ] {
        let key_there = format!("key gemma-embedding.{key}");
        let words: Vec<&str> = std::iter::once(&*key_there).chain(words).collect();
        refused(stated(key, value), &words);
    }

    // Ollama's files state it; without its heads, theirs looks like a language model.
    let mut file = ollama();
    judge(&file.set("gemma3.attention.causal", false).to_bytes()).unwrap();
    let mut causal =
        tiny::writer(Options { variant: Variant::LanguageModel, ..Options::default() });
    let found = judge(&causal.set("gemma3.attention.causal", false).to_bytes());
    refused(
        found,
        &["gemma3.attention.causal", "false", "expected true", "a causal language model"],
    );
    judge(&causal.set("gemma3.attention.causal", true).to_bytes()).unwrap();
}

#[test]
fn trailing_dimensions_of_one_are_the_same_shape() {
    with_tensor("output_norm.weight", |tensor| tensor.dims = vec![128, 1, 1, 1]).unwrap();
    let found = with_tensor("output_norm.weight", |tensor| tensor.dims = vec![64]);
    refused(found, &["output_norm.weight", "[64]", "[128]"]);
}

/// Changes a few bytes anywhere in the tiny model's header. Every file that is still accepted has its tensors inside
/// the file.
#[test]
fn mutations_never_panic() {
    let whole = model().to_bytes();
    let header_len = parse(&whole).unwrap().header_len as usize;
    let mut bytes = whole.clone();
    let mut random = Random(2);
    for _ in 0..5_000 {
        let places: Vec<usize> = (0..=random.below(3)).map(|_| random.below(header_len)).collect();
        places.iter().for_each(|&at| bytes[at] = random.below(256) as u8);
        match judge(&bytes) {
            Ok(spec) => {
                assert!(spec.tensors().all(|(_, t)| t.offset + t.n_bytes <= bytes.len() as u64))
            }
            Err(error) => assert!(!error.to_string().contains('\n')),
        }
        places.iter().for_each(|&at| bytes[at] = whole[at]);
    }
}
