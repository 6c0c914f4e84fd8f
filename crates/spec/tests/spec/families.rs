//! What the architectures besides Gemma's and BERT's ask of their files. The tokenizer is not the subject here, so all
//! have Gemma's.

use monomorph_gguf::writer::Writer;
use monomorph_gguf::{Error, TensorType};
use monomorph_spec::arch::{self, Arch, TokenizerRule};
use monomorph_spec::{BuildOptions, NormKind, Pooling, Qkv, Shortening, Spec, Window};
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
