//! Gemma 3, and EmbeddingGemma, which is based on it (Vera et al. 2025).
//!
//! EmbeddingGemma's files come in three variants. Gemma 3 itself, a causal decoder, is a fourth.

use super::{
    Arch, EmbeddingScale, HeadRule, Known, LayerRule, NormRule, RopeRule, ScoreScale, TokenizerRule,
};
use crate::Pooling;
use crate::block::{Activation, Block, Embedding, Join, Linear, Norm, Qkv};
use crate::license::Terms;
use crate::prompts::Prompt;

/// EmbeddingGemma with its dense heads: the vectors that it was trained for.
pub(super) const WITH_DENSE: Arch = Arch {
    name: "gemma-embedding",
    variant: "with dense heads",
    marks: &["dense_2.weight", "dense_3.weight"],
    norm: NormRule::Rms,
    causal: false,
    embedding_scale: EmbeddingScale::RootOfWidth,
    embedding: Embedding {
        tokens: "token_embd.weight",
        token_types: None,
        positions: None,
        norm: None,
    },
    layer_inputs: None,
    ropes: &[
        RopeRule { base: "rope.freq_base_swa", default: Some(10_000.0), scaled: false },
        // From 4B on, Gemma 3 was trained with positions divided by eight, but only in full layers.
        RopeRule { base: "rope.freq_base", default: None, scaled: true },
    ],
    layers: LayerRule::FullEvery { period: 6, first: 5 },
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
        attn_join: Join::AddNormed(Norm::plain("post_attention_norm.weight")),
        ffn_norm: Some(Norm::plain("ffn_norm.weight")),
        gate: Some(Linear::plain("ffn_gate.weight")),
        up: Linear::plain("ffn_up.weight"),
        down: Linear::plain("ffn_down.weight"),
        activation: Activation::GeluTanh,
        ffn_join: Join::AddNormed(Norm::plain("post_ffw_norm.weight")),
        input_branch: None,
        output_scale: None,
    },
    bare_first_layer: false,
    optional_keys: &[],
    optional_tensors: &[],
    unused_tensors: &[],
    agreed: &[],
    output_norm: Some(Norm::plain("output_norm.weight")),
    trained_context: None,
    dense: &[Linear::plain("dense_2.weight"), Linear::plain("dense_3.weight")],
    dense_per_token: false,
    dense_keys: DENSE_KEYS,
    pooling: Pooling::Mean,
    pooling_reason: Some("as EmbeddingGemma was trained"),
    tokenizers: &[TokenizerRule::ScoredBpe { space_prefix: false }],
    known: &[Known { models: &[&[]], prompts: PROMPTS, ..Known::NOTHING }],
    terms: Some(&TERMS),
    notes: &[],
};

/// EmbeddingGemma without its dense heads: another vector space of the same width.
pub(super) const WITHOUT_DENSE: Arch = Arch {
    variant: "without dense heads",
    marks: &[],
    dense: &[],
    dense_keys: &[],
    notes: &[
        "this file lacks the model's dense heads (dense_2, dense_3): its vectors lie in a different space from \
         the original model's and cannot be compared with them; use a file with 316 tensors to get the right ones",
    ],
    ..WITH_DENSE
};

/// EmbeddingGemma as Ollama distributes it, with other names for the architecture and some tensors.
pub(super) const OLLAMA: Arch = Arch {
    name: "gemma3",
    variant: "with dense heads, in Ollama's names",
    marks: &["dense.0.weight", "dense.1.weight"],
    output_norm: Some(Norm::plain("norm.weight")),
    dense: &[Linear::plain("dense.0.weight"), Linear::plain("dense.1.weight")],
    ..WITH_DENSE
};

/// Gemma 3 itself, which was not trained to embed. Its files do not say how to pool; sentence-transformers also takes
/// the mean for such a model.
pub(super) const LANGUAGE_MODEL: Arch = Arch {
    name: "gemma3",
    variant: "a causal language model",
    marks: &[],
    causal: true,
    // The largest Gemma 3, 27B, was trained with this scale. No key states it; other readers also recognise the model
    // by its number of layers.
    score_scale: ScoreScale::RootOfHeadUnless { layers: 62 },
    dense: &[],
    dense_keys: &[],
    pooling_reason: None,
    known: &[],
    notes: &[
        "this is a language model, which was not trained to embed; its vectors are made by {pooling} pooling",
    ],
    ..WITH_DENSE
};

const DENSE_KEYS: &[[&str; 2]] =
    &[["dense_2_feat_in", "dense_2_feat_out"], ["dense_3_feat_in", "dense_3_feat_out"]];

/// The Gemma Terms of Use.
const TERMS: Terms = Terms {
    id: "gemma",
    words: &["gemma terms of use", "ai.google.dev/gemma/terms"],
    // Section 3.1 of the terms requires the first sentence; section 3.2 has the limits on use.
    notice: "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n\n\
             Everyone who receives a copy of this model is bound by these terms, and must not use it for what the Gemma \
             Prohibited\nUse Policy restricts: https://ai.google.dev/gemma/prohibited_use_policy\n",
};

/// The prompts of EmbeddingGemma's model card, with its other names for them. EmbeddingGemma 2 has the same.
pub(super) const PROMPTS: &[Prompt] = &[
    Prompt::new(
        &["query", "retrieval-query", "bitext-mining", "reranking"],
        "task: search result | query: ",
    ),
    Prompt::titled(
        &["document", "retrieval-document"],
        "title: none | text: ",
        ["title: ", " | text: "],
    ),
    Prompt::new(&["clustering"], "task: clustering | query: "),
    Prompt::new(&["classification", "multilabel-classification"], "task: classification | query: "),
    Prompt::new(&["code-retrieval", "instruction-retrieval"], "task: code retrieval | query: "),
    Prompt::new(&["sts", "pair-classification"], "task: sentence similarity | query: "),
    Prompt::new(&["summarization"], "task: summarization | query: "),
    Prompt::new(&["question-answering"], "task: question answering | query: "),
    Prompt::new(&["fact-checking"], "task: fact checking | query: "),
];
