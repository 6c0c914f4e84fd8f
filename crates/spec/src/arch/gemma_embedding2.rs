//! EmbeddingGemma 2's text tower (2026), which is based on Gemma 4. The towers for images and sound are in files of their
//! own and are not run.
//!
//! Beyond Gemma 3's, each layer has an input of its own and a factor, values are normalised, scores are not scaled, and
//! layers that see the whole text have wider heads.

use super::{Arch, HeadRule, Known, LayerRule, RopeRule, ScoreScale, TokenizerRule, gemma};
use crate::block::{Block, InputBranch, Join, LayerInputs, Linear, Norm};

pub(super) const TEXT: Arch = Arch {
    name: "gemma-embedding2",
    variant: "the text tower",
    marks: &[],
    layer_inputs: Some(LayerInputs {
        project: Linear::plain("per_layer_model_proj.weight"),
        norm: Norm::plain("per_layer_proj_norm.weight"),
    }),
    ropes: &[
        RopeRule { base: "rope.freq_base_swa", default: Some(10_000.0), scaled: false },
        RopeRule { base: "rope.freq_base", default: None, scaled: false },
    ],
    layers: LayerRule::Stated,
    heads: HeadRule::ByWindow,
    score_scale: ScoreScale::One,
    block: Block {
        v_norm: true,
        input_branch: Some(InputBranch {
            gate: Linear::plain("inp_gate.weight"),
            project: Linear::plain("proj.weight"),
            join: Join::AddNormed(Norm::plain("post_norm.weight")),
        }),
        output_scale: Some("layer_output_scale.weight"),
        ..gemma::WITH_DENSE.block
    },
    // Files state 262,144, for which there are positions.
    trained_context: Some(8192),
    dense: &[Linear::plain("output.weight")],
    dense_keys: &[],
    // The original projects each token and then takes the mean of the projections.
    dense_per_token: true,
    pooling_reason: Some("as EmbeddingGemma 2 was trained"),
    tokenizers: &[TokenizerRule::ListedMerges],
    known: &[Known { models: &[&[]], prompts: gemma::PROMPTS, ..Known::NOTHING }],
    // Not Gemma's terms: files state the model's own.
    terms: None,
    ..gemma::WITH_DENSE
};
