//! Qwen3 (Yang et al. 2025), and Qwen3-Embedding, which is based on it (Zhang et al. 2025).

use super::{
    Arch, EmbeddingScale, HeadRule, Known, LayerRule, Marks, NormRule, RopeRule, ScoreScale,
    TokenizerRule,
};
use crate::block::{Activation, Block, Embedding, Join, Linear, Norm, Qkv};
use crate::prompts::Prompt;
use crate::{Pooling, Split};

pub(super) const QWEN3: Arch = Arch {
    name: "qwen3",
    variant: "a causal model",
    marks: &[],
    norm: NormRule::Rms,
    causal: true,
    embedding_scale: EmbeddingScale::One,
    embedding: Embedding {
        tokens: "token_embd.weight",
        token_types: None,
        positions: None,
        norm: None,
    },
    layer_inputs: None,
    ropes: &[RopeRule { base: "rope.freq_base", default: None, scaled: true }],
    layers: LayerRule::Alike(Some(0)),
    heads: HeadRule::Alike,
    score_scale: ScoreScale::RootOfHead,
    block: Block {
        attn_norm: Some(Norm::plain("attn_norm.weight")),
        qkv: Qkv::Split([
            Linear::plain("attn_q.weight"),
            Linear::plain("attn_k.weight"),
            Linear::plain("attn_v.weight"),
        ]),
        qk_norm: Some([Norm::plain("attn_q_norm.weight"), Norm::plain("attn_k_norm.weight")]),
        v_norm: false,
        attn_output: Linear::plain("attn_output.weight"),
        attn_join: Join::Add,
        ffn_norm: Some(Norm::plain("ffn_norm.weight")),
        gate: Some(Linear::plain("ffn_gate.weight")),
        up: Linear::plain("ffn_up.weight"),
        down: Linear::plain("ffn_down.weight"),
        activation: Activation::Silu,
        ffn_join: Join::Add,
        input_branch: None,
        output_scale: None,
    },
    bare_first_layer: false,
    optional_keys: &[],
    optional_tensors: &[],
    // What a language model predicts tokens with, where it is not the table of embeddings.
    unused_tensors: &["output.weight"],
    agreed: &[],
    output_norm: Some(Norm::plain("output_norm.weight")),
    trained_context: None,
    dense: &[],
    dense_per_token: false,
    dense_keys: &[],
    pooling: Pooling::Last,
    // The files of Qwen3-Embedding do; those of the language models do not.
    pooling_reason: Some("as Qwen3-Embedding does; other Qwen3 models were not trained to embed"),
    // The state of the last token becomes the vector. Files made before the tokenizer itself said so do not, and name as
    // `eos` what ends a chat's turn.
    tokenizers: &[TokenizerRule::ByteLevel {
        pre: "qwen2",
        split: Split::Qwen2,
        marks: Marks::Stated { last: "<|endoftext|>", reason: "as Qwen3-Embedding was trained" },
    }],
    known: &[Known { models: &[&["qwen3", "embedding"]], prompts: PROMPTS, ..Known::NOTHING }],
    terms: None,
    notes: &[],
};

/// The model card's instruction for a search; other tasks have others. Documents are taken as they are.
const PROMPTS: &[Prompt] = &[
    Prompt::new(
        &["query", "retrieval-query"],
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    ),
    Prompt::new(&["document", "retrieval-document", "passage"], ""),
];
