//! nomic-embed-text (Nussbaum et al. 2024): BERT with RoPE and a gated feed-forward network, without biases but in its
//! norms.

use super::{Arch, Known, LayerRule, RopeRule, bert};
use crate::Shortening;
use crate::block::{Activation, Block, Embedding, Linear, Qkv};
use crate::prompts::Prompt;

pub(super) const NOMIC_BERT: Arch = Arch {
    name: "nomic-bert",
    variant: "with fused attention weights",
    marks: &[],
    embedding: Embedding { positions: None, ..bert::SPLIT.embedding },
    // Readers disagree about the default, and the model's own is neither of theirs, so the file has to say.
    ropes: &[RopeRule { base: "rope.freq_base", default: None, scaled: true }],
    layers: LayerRule::Alike(Some(0)),
    block: Block {
        qkv: Qkv::Fused(Linear::plain("attn_qkv.weight")),
        attn_output: Linear::plain("attn_output.weight"),
        gate: Some(Linear::plain("ffn_gate.weight")),
        up: Linear::plain("ffn_up.weight"),
        down: Linear::plain("ffn_down.weight"),
        activation: Activation::Silu,
        ..bert::SPLIT.block
    },
    known: &[
        Known {
            models: &[&["nomic", "embed", "v1", "5"]],
            shortening: Shortening::LayerNormAndCut,
            ..NOMIC
        },
        NOMIC,
        Known { models: &[&["arctic", "embed"]], prompts: bert::QUERY, ..Known::NOTHING },
    ],
    ..bert::SPLIT
};

const NOMIC: Known = Known { models: &[&["nomic", "embed"]], prompts: PROMPTS, ..Known::NOTHING };

/// Also those of ModernBERT Embed.
pub(super) const PROMPTS: &[Prompt] = &[
    Prompt::new(&["query", "search-query", "retrieval-query"], "search_query: "),
    Prompt::new(
        &["document", "search-document", "retrieval-document", "passage"],
        "search_document: ",
    ),
    Prompt::new(&["classification"], "classification: "),
    Prompt::new(&["clustering"], "clustering: "),
];
