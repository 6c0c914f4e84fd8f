//! What the architectures besides Gemma's and BERT's ask of their files. The tokenizer is not the subject here, so all
//! have Gemma's.

use monomorph_gguf::writer::{self, Writer};
use monomorph_gguf::{Error, TensorType};
use monomorph_spec::arch::{self, Arch, TokenizerRule};
use monomorph_spec::place::Sizes;
use monomorph_spec::{
    Algorithm, BuildOptions, Heads, Layer, NormKind, Pooling, Qkv, Shortening, Spec, Window,
};
use monomorph_testing::architecture::flags;
use monomorph_testing::files::{parse, refused};
use monomorph_testing::{Random, architecture};

fn architecture(name: &str) -> Arch {
    let arch = arch::ALL.iter().find(|arch| arch.name == name).expect("an architecture");
    Arch { tokenizers: &[TokenizerRule::ScoredBpe { space_prefix: false }], ..*arch }
}

/// A tiny file of seven layers.
fn file(arch: &Arch) -> Writer {
    let sizes = architecture::sizes(64, 96, [2, 2, 32], 48);
    architecture::writer(arch, sizes, 7, TensorType::F32, &mut Random(1))
}

fn judge(arch: &Arch, file: &Writer) -> Result<Spec, Error> {
    Spec::from_header_among(&parse(&file.to_bytes())?, BuildOptions::default(), &[*arch])
}

#[test]
fn nomic_bert_rotates_and_gates() {
    let arch = architecture("nomic-bert");
    let spec = judge(&arch, &file(&arch)).unwrap();
    let layer = &spec.layers[0];
    assert_eq!((layer.window, layer.rope, spec.causal), (Window::Full, Some(0), false));
    assert!(spec.embedding.positions.is_none() && spec.embedding.token_types.is_some());
    assert!(layer.block.gate.is_some() && layer.block.up.bias.is_none());
    assert!(matches!(layer.block.qkv, Qkv::Fused(_)));
    // Its base is none that a reader would guess.
    refused(
        judge(&arch, file(&arch).remove("nomic-bert.rope.freq_base")),
        &["missing", "nomic-bert.rope.freq_base"],
    );
    for (name, shortening, prompts) in [
        ("nomic-embed-text-v1.5", Shortening::LayerNormAndCut, 4),
        ("Nomic Embed Text v1.5", Shortening::LayerNormAndCut, 4),
        ("nomic-embed-text-v1", Shortening::Cut, 4),
        ("snowflake-arctic-embed-m-long", Shortening::Cut, 2),
        ("another", Shortening::Cut, 0),
    ] {
        let spec = judge(&arch, file(&arch).set("general.name", name)).unwrap();
        assert_eq!((spec.shortening, spec.prompts.len()), (shortening, prompts), "{name}");
    }
}

#[test]
fn modern_berts_first_layer_is_full_and_has_no_norm() {
    let arch = architecture("modern-bert");
    let spec = judge(&arch, &file(&arch)).unwrap();
    let full = spec.layers.iter().enumerate().filter(|(_, layer)| layer.window == Window::Full);
    assert_eq!(full.map(|(i, _)| i).collect::<Vec<_>>(), [0, 3, 6]);
    assert_eq!((spec.layers[1].window, spec.layers[1].rope), (Window::Sliding(8), Some(0)));
    assert_eq!(spec.layers[3].rope, Some(1));
    let norms = spec.layers.iter().map(|layer| layer.block.attn_norm.is_some());
    assert_eq!(norms.collect::<Vec<_>>(), [false, true, true, true, true, true, true]);
    // The gate's rows come first in the tensor that holds both.
    let block = &spec.layers[2].block;
    let (gate, up) = (block.gate.expect("a gate").weight, block.up.weight);
    assert_eq!((gate.name, gate.rows, up.rows), (up.name, 96, 96));
    assert_eq!((up.offset, up.n_bytes), (gate.offset + gate.n_bytes, gate.n_bytes));
    assert_eq!(spec.norm, NormKind::Layer(1e-5));

    let vector = |name| {
        let mut file = file(&arch);
        file.tensor(name, TensorType::F32, &[64], vec![0; 4 * 64]);
        file
    };
    refused(judge(&arch, &vector("blk.0.attn_norm.weight")), &["blk.0.attn_norm.weight"]);
    let mut lacking = file(&arch);
    lacking.tensors.retain(|tensor| tensor.name != b"blk.1.attn_norm.weight");
    refused(judge(&arch, &lacking), &["blk.1.attn_norm.weight", "missing"]);
    let activation =
        |name: &str| judge(&arch, file(&arch).set("modern-bert.hidden_activation", name));
    assert!(activation("gelu").is_ok());
    refused(activation("silu"), &["modern-bert.hidden_activation", "silu", "gelu"]);
    let pattern =
        |n: u32| judge(&arch, file(&arch).set("modern-bert.attention.sliding_window_pattern", n));
    assert!(pattern(3).is_ok());
    refused(pattern(6), &["modern-bert.attention.sliding_window_pattern", "6", "3"]);
}

#[test]
fn qwen3_takes_the_last_token() {
    let arch = architecture("qwen3");
    let stated = judge(&arch, file(&arch).set("qwen3.pooling_type", 3)).unwrap();
    assert!(stated.causal && stated.notes.is_empty());
    assert_eq!((stated.pooling, stated.embedding_scale), (Pooling::Last, 1.0));
    assert!(stated.layers[0].block.qk_norm.is_some());
    // A language model's file does not say.
    let chat = judge(&arch, &file(&arch)).unwrap();
    assert_eq!(chat.pooling, Pooling::Last);
    assert!(chat.notes[0].contains("were not trained to embed"), "{:?}", chat.notes);

    // Vectors do not depend on what predicts tokens.
    let mut untied = file(&arch);
    untied.set("qwen3.pooling_type", 3);
    untied.tensor("output.weight", TensorType::F32, &[64, 2], vec![0; 4 * 2 * 64]);
    let untied = judge(&arch, &untied).unwrap();
    assert!(untied.tensors().all(|(name, _)| name != "output.weight"));
    let mut other = file(&arch);
    other.tensor("output.bias", TensorType::F32, &[64], vec![0; 4 * 64]);
    refused(judge(&arch, &other), &["output.bias"]);

    let yarn = judge(&arch, file(&arch).set("qwen3.rope.scaling.type", "yarn"));
    refused(yarn, &["qwen3.rope.scaling.type", "yarn"]);
    let named = judge(&arch, file(&arch).set("general.name", "Qwen3 Embedding 0.6B")).unwrap();
    assert!(named.prompts[0].prefix.ends_with("\nQuery:"));
}

/// EmbeddingGemma 2's file of six layers: the third and the sixth see the whole text, with one head of keys in place of
/// two, and twice as wide.
fn gemma_embedding2() -> (Arch, Writer) {
    let arch = architecture("gemma-embedding2");
    let sizes = Sizes {
        n_out: 96,
        n_layer_input: 32,
        full_heads: Some(Heads::new(4, 1, 64)),
        ..architecture::sizes(64, 160, [4, 2, 32], 262_144)
    };
    (arch, architecture::writer(&arch, sizes, 6, TensorType::F32, &mut Random(1)))
}

#[test]
fn embeddinggemma_2_sees_the_whole_text_with_wider_heads() {
    let (arch, file) = gemma_embedding2();
    let spec = judge(&arch, &file).unwrap();
    assert_eq!(spec.heads(), Heads::new(4, 2, 32));
    assert_eq!(spec.full_heads, Some(Heads::new(4, 1, 64)));
    assert_eq!((spec.n_embd, spec.n_out, spec.n_layer_input()), (64, 96, 32));
    assert_eq!((spec.score_scale, spec.embedding_scale), (1.0, 8.0));
    let of = |layer: &Layer| (layer.window, layer.rope);
    let (near, full) = ((Window::Sliding(8), Some(0)), (Window::Full, Some(1)));
    assert!(spec.layers.iter().map(of).eq([near, near, full, near, near, full]));
    let block = &spec.layers[2].block;
    let Qkv::Split([q, k, _]) = block.qkv else { panic!("three matrices") };
    assert_eq!((q.weight.rows, k.weight.rows, block.attn_output.weight.cols), (256, 64, 256));
    assert!(block.v_norm && block.output_scale.is_some());
    let branch = block.input_branch.unwrap();
    assert_eq!((branch.gate.weight.rows, branch.project.weight.cols), (32, 32));
    assert_eq!(spec.layer_inputs.unwrap().project.weight.rows, 6 * 32);
    assert_eq!(spec.tensors().count(), 1 + 2 + 6 * 17 + 2);
    assert_eq!((spec.prompts.len(), spec.license.notice), (9, None));

    // Layers of one kind have no others.
    let (arch, mut all_full) = gemma_embedding2();
    all_full.tensors.retain(|tensor| !tensor.name.starts_with(b"blk.") || tensor.name[4] == b'2');
    for tensor in &mut all_full.tensors {
        if tensor.name.starts_with(b"blk.2.") {
            tensor.name[4] = b'0';
        }
        if tensor.name == b"per_layer_model_proj.weight" {
            (tensor.dims[1], tensor.data) = (32, vec![0; 4 * 32 * 64]);
        }
    }
    all_full
        .set("gemma-embedding2.block_count", 1)
        .set("gemma-embedding2.attention.head_count_kv", 1)
        .set("gemma-embedding2.attention.sliding_window_pattern", flags([false].into_iter()));
    let spec = judge(&arch, &all_full).unwrap();
    assert_eq!((spec.heads(), spec.full_heads), (Heads::new(4, 1, 64), None));
}

#[test]
fn what_embeddinggemma_2_does_not_say_is_not_guessed() {
    let with = |key: &str, value: writer::Value| {
        let (arch, mut file) = gemma_embedding2();
        judge(&arch, file.set(&format!("gemma-embedding2.{key}"), value))
    };
    let i32s = |values: &[i32]| writer::Value::I32s(values.to_vec());
    for key in [
        "attention.sliding_window_pattern",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.key_length_swa",
        "attention.value_length_swa",
        "embedding_length_per_layer_input",
        "rope.freq_base",
    ] {
        let (arch, mut file) = gemma_embedding2();
        refused(judge(&arch, file.remove(&format!("gemma-embedding2.{key}"))), &["missing", key]);
    }

    let key = "attention.sliding_window_pattern";
    refused(with(key, 6.into()), &[key, "an array"]);
    refused(with(key, flags([true; 5].into_iter())), &[key, "array of 5 bool", "6 flags"]);
    refused(with(key, i32s(&[1; 6])), &[key, "array of 6 i32", "6 flags"]);
    // The numbers of heads are those of another pattern.
    let other = [true, false, false, true, true, false];
    refused(with(key, flags(other.into_iter())), &["attention.head_count_kv", "2 and 1"]);

    let key = "attention.head_count_kv";
    refused(with(key, i32s(&[2, 2, 1, 2, 2])), &[key, "array of 5 i32", "6 integers"]);
    refused(with(key, i32s(&[2, 2, 0, 2, 2, 1])), &[key, "6 integers from 1 to"]);
    refused(with(key, i32s(&[2, 2, -1, 2, 2, 1])), &[key, "6 integers from 1 to"]);
    refused(with(key, i32s(&[2, 1, 1, 2, 2, 1])), &[key, "2 and 1", "one number for all layers"]);
    refused(with(key, i32s(&[3, 3, 1, 3, 3, 1])), &[key, "3", "a divisor of the 4 heads"]);
    // One number stands for all layers, of which some have other tensors.
    refused(with(key, 2.into()), &["blk.2.attn_k.weight"]);

    let key = "attention.value_length_swa";
    refused(with(key, 64.into()), &[key, "64", "the key length 32"]);
    for (key, width) in [("rope.dimension_count", 64), ("rope.dimension_count_swa", 32)] {
        assert!(with(key, width.into()).is_ok());
        refused(with(key, 16.into()), &[key, "16", &width.to_string(), "the width of a head"]);
    }
    let key = "attention.shared_kv_layers";
    assert!(with(key, 0.into()).is_ok());
    refused(with(key, 2.into()), &[key, "2", "keys and values of its own"]);
    let key = "embedding_length_per_layer_input";
    refused(with(key, 33.into()), &[key, "33", "a multiple of 32"]);
    refused(with(key, 64.into()), &["per_layer_model_proj.weight", "[64, 384]"]);
    refused(with(key, (1 << 19).into()), &[key, "wide together"]);
    let key = "embedding_length_out";
    refused(with(key, 100.into()), &[key, "100", "a multiple of 32"]);
    refused(with(key, 128.into()), &["output.weight", "[64, 128]"]);

    // What Gemma 4 has besides.
    let (arch, mut file) = gemma_embedding2();
    file.tensor("per_layer_token_embd.weight", TensorType::F32, &[32], vec![0; 4 * 32]);
    refused(judge(&arch, &file), &["per_layer_token_embd.weight", "does not know"]);
}

/// Only dense heads give vectors of another width.
#[test]
fn a_width_of_vectors_needs_a_head() {
    let arch = architecture("qwen3");
    let key = "qwen3.embedding_length_out";
    assert_eq!(judge(&arch, file(&arch).set(key, 64)).unwrap().n_out, 64);
    refused(judge(&arch, file(&arch).set(key, 96)), &[key, "96", "64"]);
}

#[test]
fn a_build_chooses_within_what_embeddinggemma_2_was_trained_for() {
    let (arch, file) = gemma_embedding2();
    let bytes = file.to_bytes();
    let header = parse(&bytes).unwrap();
    let with = |options| Spec::from_header_among(&header, options, &[arch]);
    let context = |n_ctx| with(BuildOptions { n_ctx, ..Default::default() });
    let by_default = context(None).unwrap();
    assert_eq!((by_default.n_ctx, by_default.ropes[1].head_dim), (8192, 64));
    assert!(by_default.notes.iter().all(|note| !note.contains("texts are cut")));
    assert_eq!(context(Some(1024)).unwrap().n_ctx, 1024);
    refused(context(Some(8193)), &["MONOMORPH_CONTEXT is 8193", "8192 tokens"]);
    let pooling = |pooling| with(BuildOptions { pooling: Some(pooling), ..Default::default() });
    for kind in [Pooling::Mean, Pooling::Cls, Pooling::Last] {
        assert_eq!(pooling(kind).unwrap().pooling, kind);
    }
    refused(pooling(Pooling::Max), &["max pooling", "MONOMORPH_POOLING=mean, cls or last"]);
}

#[test]
fn listed_merges_are_gemma_4s() {
    let (arch, mut file) = gemma_embedding2();
    let arch = Arch { tokenizers: &[TokenizerRule::ListedMerges], ..arch };
    refused(judge(&arch, &file), &["tokenizer.ggml.model", "llama", "gemma4"]);
    file.set("tokenizer.ggml.model", "gemma4");
    refused(judge(&arch, &file), &["missing", "tokenizer.ggml.merges"]);
    file.set("tokenizer.ggml.merges", writer::Value::Strings(vec![b"a b".to_vec()]));
    let tokenizer = judge(&arch, &file).unwrap().tokenizer;
    assert_eq!(tokenizer.algorithm, Algorithm::ListedMerges);
    assert_eq!((tokenizer.bos, tokenizer.eos, tokenizer.unknown), (2, 1, Some(3)));
    assert!(tokenizer.add_bos && tokenizer.add_eos && !tokenizer.add_space_prefix);
    file.remove("tokenizer.ggml.pre").remove("tokenizer.ggml.scores");
    assert!(judge(&arch, &file).is_ok());
    let changed = |key: &str, value: writer::Value| judge(&arch, file.clone().set(key, value));
    let key = "tokenizer.ggml.pre";
    assert!(changed(key, "gemma4".into()).is_ok());
    refused(changed(key, "qwen2".into()), &[key, "qwen2", "gemma4"]);
    let key = "tokenizer.ggml.add_space_prefix";
    refused(changed(key, true.into()), &[key, "true", "false"]);
    let key = "tokenizer.ggml.merges";
    refused(changed(key, 3.into()), &[key, "array"]);
    let key = "tokenizer.ggml.add_eos_token";
    assert!(!changed(key, false.into()).unwrap().tokenizer.add_eos);
    refused(judge(&arch, file.remove(key)), &["missing", key]);
}
