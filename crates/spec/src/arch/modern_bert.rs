//! ModernBERT (Warner et al. 2024): modernbert-embed, gte-modernbert, granite-embedding-english-r2.

use super::{Arch, Known, LayerRule, Marks, NormRule, RopeRule, TokenizerRule, bert, nomic_bert};
use crate::Split;
use crate::block::{Activation, Block, Embedding, Join, Linear, Norm, Qkv};

pub(super) const MODERN_BERT: Arch = Arch {
    name: "modern-bert",
    variant: "with a gate beside the up projection",
    marks: &[],
    norm: NormRule::Layer,
    embedding: Embedding {
        tokens: "token_embd.weight",
        token_types: None,
        positions: None,
        norm: Some(Norm::plain("token_embd_norm.weight")),
    },
    ropes: &[
        RopeRule { base: "rope.freq_base_swa", default: Some(10_000.0), scaled: false },
        RopeRule { base: "rope.freq_base", default: None, scaled: true },
    ],
    layers: LayerRule::FullEvery { period: 3, first: 0 },
    block: Block {
        attn_norm: Some(Norm::plain("attn_norm.weight")),
        qkv: Qkv::Fused(Linear::plain("attn_qkv.weight")),
        qk_norm: None,
        v_norm: false,
        attn_output: Linear::plain("attn_output.weight"),
        attn_join: Join::Add,
        ffn_norm: Some(Norm::plain("ffn_norm.weight")),
        // Of the tensor's 2 n_ff rows the first half is the gate's.
        gate: Some(Linear::plain("ffn_up.weight")),
        up: Linear::plain("ffn_up.weight"),
        down: Linear::plain("ffn_down.weight"),
        activation: Activation::GeluErf,
        ffn_join: Join::Add,
        input_branch: None,
        output_scale: None,
    },
    bare_first_layer: true,
    optional_tensors: &[],
    agreed: &[("hidden_activation", "gelu")],
    output_norm: Some(Norm::plain("output_norm.weight")),
    tokenizers: &[TokenizerRule::ByteLevel {
        pre: "modern-bert",
        split: Split::Gpt2,
        marks: Marks::Around(["[CLS]", "[SEP]"]),
    }],
    known: &[Known {
        models: &[&["modernbert", "embed"], &["nomic", "modernbert"]],
        prompts: nomic_bert::PROMPTS,
        ..Known::NOTHING
    }],
    ..bert::SPLIT
};
