//! Well-formed files that are not a model this version runs, and what sets two models apart.

mod support;
#[path = "../../tests/support/tiny.rs"]
mod tiny;

use std::sync::LazyLock;

use monomorph_gguf::writer::{Tensor, Value, Writer};
use monomorph_gguf::{Attention, FileShape, Pooling, Spec, TensorType};
use support::{Random, judge, parse, refused};
use tiny::Options;

/// Built once: learning the vocabulary takes a while.
fn model() -> Writer {
    static MODEL: LazyLock<Writer> = LazyLock::new(|| tiny::writer(Options::default()));
    MODEL.clone()
}

fn ollama() -> Writer {
    tiny::writer(Options { shape: FileShape::Ollama, ..Options::default() })
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
    assert_eq!((spec.n_layer(), spec.n_ctx, spec.attention_radius), (6, 256, 8));
    assert_eq!((spec.rms_eps, spec.rope_base_full, spec.rope_base_sliding), (1e-6, 1e6, 1e4));
    assert_eq!((spec.shape, spec.pooling), (FileShape::WithDense, Pooling::Mean));
    let full: Vec<bool> =
        spec.layers.iter().map(|layer| layer.attention == Attention::Full).collect();
    assert_eq!(full, [false, false, false, false, false, true]);
    assert_eq!((spec.layers[2].ffn_down.rows, spec.layers[2].ffn_down.cols), (128, 160));
    assert_eq!((spec.dense[0].rows, spec.dense[0].cols), (256, 128));
    let tokenizer = spec.tokenizer;
    assert_eq!((tokenizer.bos, tokenizer.eos, tokenizer.unknown), (2, 1, Some(3)));
    assert!(tokenizer.add_bos && tokenizer.add_eos && !tokenizer.add_space_prefix);
    assert_eq!(spec.tensors().count(), 1 + 6 * 13 + 1 + 2);
}

/// Every tensor of the specification is the file's tensor of that name, in all three shapes.
#[test]
fn tensors_keep_their_names_and_places() {
    for shape in [FileShape::WithDense, FileShape::WithoutDense, FileShape::Ollama] {
        let bytes = tiny::tiny_with(Options { shape, ..Options::default() });
        let header = parse(&bytes).unwrap();
        let spec = Spec::from_header(&header).unwrap();
        assert_eq!(spec.shape, shape);
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
    let language_model = without_tensor(ollama(), "dense.0.weight");
    refused(language_model, &["tensor dense.0.weight is missing"]);
    let mut language_model = ollama();
    language_model.tensors.retain(|tensor| !tensor.name.starts_with(b"dense"));
    refused(judge(&language_model.to_bytes()), &["gemma3", "a language model"]);
}

/// CVE-2024-8063: a key that is read, with a value of another type.
#[test]
fn wrong_types_of_values() {
    for key in [
        "block_count",
        "embedding_length",
        "attention.head_count",
        "context_length",
        "pooling_type",
    ] {
        let key = format!("gemma-embedding.{key}");
        refused(with(&key, "24"), &[&key, "string \"24\"", "a non-negative integer"]);
        refused(with(&key, 24.0), &[&key, "f32 24.0", "a non-negative integer"]);
        refused(
            with(&key, Value::Raw(5, vec![0xff; 4])),
            &[&key, "i32 -1", "a non-negative integer"],
        );
        refused(
            with(&key, Value::I32s(vec![24])),
            &[&key, "array of 1 i32", "a non-negative integer"],
        );
    }
    refused(with("general.architecture", 1), &["general.architecture", "u32 1", "a string"]);
    refused(
        with("gemma-embedding.rope.freq_base", 10_000),
        &["rope.freq_base", "u32 10000", "a floating-point number"],
    );
    refused(with("tokenizer.ggml.add_eos_token", 1), &["add_eos_token", "u32 1", "a bool"]);
    refused(with("tokenizer.ggml.tokens", "abc"), &["tokenizer.ggml.tokens", "string", "an array"]);
    for key in ["tokens", "scores", "token_type"] {
        let key = format!("tokenizer.ggml.{key}");
        let bytes = [&1u32.to_le_bytes()[..], &0u64.to_le_bytes()].concat();
        refused(with(&key, Value::Raw(9, bytes)), &[&key, "array of 0 i8", "an array of"]);
    }
    // Any width of integer will do.
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
fn absurd_hyper_parameters() {
    for (key, values) in [
        ("block_count", &[0, 5, 7, 1025, u32::MAX][..]),
        ("embedding_length", &[0, 1, 127, 96, 160, 1 << 31, u32::MAX]),
        ("feed_forward_length", &[0, 159, 128, 1 << 30]),
        ("attention.head_count", &[0, 1, 2, 4, 33, 1 << 20, u32::MAX]),
        ("attention.head_count_kv", &[0, 2, 3, 4, u32::MAX]),
        ("attention.key_length", &[0, 16, 31, 64, u32::MAX]),
        ("attention.value_length", &[0, 16, 64, u32::MAX]),
        ("attention.sliding_window", &[0, 1, u32::MAX]),
        ("context_length", &[0, 1, 1 << 20, u32::MAX]),
        ("pooling_type", &[0, 4, u32::MAX]),
        ("dense_2_feat_in", &[0, 64]),
        ("dense_2_feat_out", &[0, 64]),
        ("dense_3_feat_in", &[0, 64]),
        ("dense_3_feat_out", &[0, 64]),
    ] {
        for &value in values {
            // The message names the key, or the key or tensor that disagrees with it.
            let message = with(&format!("gemma-embedding.{key}"), value).unwrap_err().to_string();
            let named = ["key gemma-embedding.", "tensor "];
            let names_it = named.iter().any(|words| message.contains(words));
            assert!(names_it, "{key} = {value}: {message}");
        }
    }
    for key in ["attention.layer_norm_rms_epsilon", "rope.freq_base", "rope.freq_base_swa"] {
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            refused(
                with(&format!("gemma-embedding.{key}"), value),
                &[key, "a finite number above 0"],
            );
        }
    }
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
fn tensors_of_another_shape_or_type() {
    for name in
        ["token_embd.weight", "blk.0.attn_q.weight", "blk.5.ffn_down.weight", "dense_3.weight"]
    {
        let found = with_tensor(name, |tensor| tensor.dims.swap(0, 1));
        assert!(found.unwrap_err().to_string().contains(name));
        let found =
            with_tensor(name, |tensor| (tensor.type_id, tensor.data) = (26, vec![0; 1 << 20]));
        refused(found, &[name, "is I32", "supported: F32, F16, BF16, Q8_0, Q4_0"]);
    }
    let found = with_tensor("blk.0.attn_norm.weight", |tensor| tensor.type_id = 1);
    refused(found, &["blk.0.attn_norm.weight", "F16", "F32"]);
    let found = with_tensor("output_norm.weight", |tensor| tensor.dims = vec![64]);
    refused(found, &["output_norm.weight", "[64]", "[128]"]);
    // Trailing dimensions of one are the same shape.
    with_tensor("output_norm.weight", |tensor| tensor.dims = vec![128, 1, 1, 1]).unwrap();

    let mut file = model();
    file.tensor("blk.0.attn_q.bias", TensorType::F32, &[96], vec![0; 96 * 4]);
    refused(judge(&file.to_bytes()), &["blk.0.attn_q.bias", "does not know"]);
}

#[test]
fn tensors_that_overlap_and_bytes_behind_the_last() {
    let found = with_tensor("blk.0.attn_norm.weight", |tensor| tensor.offset = Some(32));
    refused(found, &["blk.0.attn_norm.weight", "data offset 32", "inside token_embd.weight"]);
    let mut bytes = model().to_bytes();
    bytes.push(0);
    refused(judge(&bytes), &["1 bytes follow the last tensor"]);
    parse(&bytes).expect("the header is well formed");
}

/// A few bytes changed anywhere in the tiny model's header: whatever is accepted has its tensors inside the file.
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
