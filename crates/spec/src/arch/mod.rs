//! The architectures that can be run, as data: what the files of each hold, by name, and how the model computes.
//!
//! Invariant: this folder holds only constants. The code that reads them serves all architectures at once: `judge`,
//! `hyper`, `heads`, `place`, `tokenizer`, `known` and `license`.

mod bert;
mod gemma;
mod gemma_embedding2;
mod modern_bert;
mod nomic_bert;
mod qwen3;

use crate::block::{Block, Embedding, LayerInputs, Linear, Norm};
use crate::license::Terms;
use crate::prompts::Prompt;
use crate::{Pooling, Shortening, Split};

/// All architectures and their variants. Of several with the same name, the first whose [`marks`](Arch::marks) match a
/// file applies to it.
pub const ALL: &[Arch] = &[
    gemma::WITH_DENSE,
    gemma::WITHOUT_DENSE,
    gemma::OLLAMA,
    gemma::LANGUAGE_MODEL,
    gemma_embedding2::TEXT,
    bert::FUSED,
    bert::SPLIT,
    nomic_bert::NOMIC_BERT,
    modern_bert::MODERN_BERT,
    qwen3::QWEN3,
];

/// A variant of an architecture's files.
#[derive(Debug, Clone, Copy)]
pub struct Arch {
    /// `general.architecture`, which is also the prefix of the hyper-parameters' keys.
    pub name: &'static str,
    /// What sets this variant apart, in words.
    pub variant: &'static str,
    /// Tensors that identify this variant: its files have at least one of them. Empty for the variant of all other
    /// files.
    pub marks: &'static [&'static str],
    /// Which norm the model has; the file states its epsilon.
    pub norm: NormRule,
    /// Whether attention is causal: no position sees those after it.
    pub causal: bool,
    /// The factor of the token embeddings.
    pub embedding_scale: EmbeddingScale,
    /// The embedding tables, and the norm of their sum.
    pub embedding: Embedding<&'static str>,
    /// What makes the layers' own inputs; the width of each is `embedding_length_per_layer_input`.
    pub layer_inputs: Option<LayerInputs<&'static str>>,
    /// The RoPE tables.
    pub ropes: &'static [RopeRule],
    /// Windows and RoPE tables of the layers.
    pub layers: LayerRule,
    /// Which layers have which attention heads.
    pub heads: HeadRule,
    /// The factor of attention scores.
    pub score_scale: ScoreScale,
    /// The names of a layer's tensors, without `blk.N.`.
    pub block: Block<&'static str>,
    /// Whether the first layer has no `attn_norm`, because the embeddings have just been normalised.
    pub bare_first_layer: bool,
    /// Keys about attention heads that files may omit. The default is as many key/value heads as query heads, and heads
    /// of width `n_embd / n_head`.
    pub optional_keys: &'static [&'static str],
    /// Tensors that files may omit. So far only the table of token types can be.
    pub optional_tensors: &'static [&'static str],
    /// Tensors that files may hold although no vector depends on them.
    pub unused_tensors: &'static [&'static str],
    /// Keys that files may state, with the one value that means what is computed here.
    pub agreed: &'static [(&'static str, &'static str)],
    /// The last norm, before pooling.
    pub output_norm: Option<Norm<&'static str>>,
    /// The longest text that the models were trained for, in tokens, if their files state more.
    pub trained_context: Option<usize>,
    /// Dense heads after pooling, in the order in which they apply. The last one's outputs are the values of the vector:
    /// as many as `embedding_length_out` states, or n_embd. The file decides how many outputs the others have.
    pub dense: &'static [Linear<&'static str>],
    /// Whether the original applies the heads to each token, before pooling. They are linear, so that is the same unless
    /// the largest value of all tokens is taken.
    pub dense_per_token: bool,
    /// For each head, the keys that state its numbers of inputs and outputs, which files may omit.
    pub dense_keys: &'static [[&'static str; 2]],
    /// How tokens become one vector if neither the build nor the file says.
    pub pooling: Pooling,
    /// Why that is the default, for the build's warning; `None` if files are not expected to state the pooling.
    pub pooling_reason: Option<&'static str>,
    /// The kinds of tokenizer that files come with.
    pub tokenizers: &'static [TokenizerRule],
    /// What is known of models of this architecture by their names; the first entry that fits a model applies to it.
    pub known: &'static [Known],
    /// The terms that apply if the file states none.
    pub terms: Option<&'static Terms>,
    /// What a user should know about such a file; `{pooling}` stands for the kind of pooling, and such a note goes
    /// on with how to choose it.
    pub notes: &'static [&'static str],
}

/// What a file does not say about a model, but its publisher does.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The models, each by words of its name: lower case, split at everything that is no letter or digit. A model is
    /// one of them if its `general.name` or `general.basename` has all the words; without words, every model is.
    pub models: &'static [&'static [&'static str]],
    /// The prompts that they were trained with.
    pub prompts: &'static [Prompt],
    /// Where sentence-transformers cuts their texts, in tokens, if that is before the end of the file's context.
    pub library_context: Option<usize>,
    /// How their vectors are made shorter.
    pub shortening: Shortening,
}

impl Known {
    /// What is taken for granted of a model.
    pub const NOTHING: Known =
        Known { models: &[], prompts: &[], library_context: None, shortening: Shortening::Cut };
}

/// Which norm, and the key that states its epsilon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormRule {
    /// RMSNorm: `attention.layer_norm_rms_epsilon`.
    Rms,
    /// LayerNorm: `attention.layer_norm_epsilon`.
    Layer,
}

/// The factor of the token embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingScale {
    /// They are used as they are.
    One,
    /// The square root of n_embd.
    RootOfWidth,
}

/// A RoPE table, and the keys that determine it.
#[derive(Debug, Clone, Copy)]
pub struct RopeRule {
    /// The key of its frequency base.
    pub base: &'static str,
    /// The base if the key is missing; `None` if the key is required.
    pub default: Option<f32>,
    /// Whether the keys `rope.scaling.*` apply to it.
    pub scaled: bool,
}

/// A kind of tokenizer, which `tokenizer.ggml.model` states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerRule {
    /// `llama`: SentencePiece's byte-pair encoding.
    ScoredBpe {
        /// Whether a space is put before a text where the file does not say.
        space_prefix: bool,
    },
    /// `bert`: WordPiece.
    WordPiece,
    /// `t5`: SentencePiece's unigram language model.
    Unigram,
    /// `gpt2`: byte-level BPE.
    ByteLevel {
        /// The value of `tokenizer.ggml.pre` that stands for the pattern and the marks.
        pre: &'static str,
        /// How a text is split into words.
        split: Split,
        /// What is put around a text.
        marks: Marks,
    },
    /// `gemma4`: byte-pair encoding of characters, by listed merges.
    ListedMerges,
}

/// The pieces around a text in byte-level BPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// Every text stands between these two, whatever the file says of its `bos` and `eos`, as with WordPiece.
    Around([&'static str; 2]),
    /// Those that the file states.
    Stated {
        /// The piece that ends a text where the file does not say how texts end.
        last: &'static str,
        /// Why it does, to go on with in a note.
        reason: &'static str,
    },
}

/// Windows and RoPE tables of the layers.
#[derive(Debug, Clone, Copy)]
pub enum LayerRule {
    /// Every layer sees the whole text and uses this RoPE table, or none.
    Alike(Option<u8>),
    /// Every `period`th layer, beginning with layer `first`, sees the whole text and uses the second RoPE table. The
    /// others slide and use the first; the width of their window is `attention.sliding_window`.
    FullEvery {
        /// From one such layer to the next.
        period: usize,
        /// The first of them, below `period`.
        first: usize,
    },
    /// The same, but `attention.sliding_window_pattern` says of each layer whether it slides.
    Stated,
}

impl LayerRule {
    /// Whether there are layers that slide, and others.
    pub fn slides(self) -> bool {
        !matches!(self, LayerRule::Alike(_))
    }
}

/// Which layers have which attention heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRule {
    /// All the same.
    Alike,
    /// Heads of layers that slide are as wide as `attention.key_length_swa` and `attention.value_length_swa` state, those
    /// of the others as `attention.key_length` and `attention.value_length` do; `attention.head_count_kv` states a
    /// number for each layer.
    ByWindow,
}

/// The factor of attention scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreScale {
    /// One over the square root of a head's width.
    RootOfHead,
    /// The same, but a model with exactly this many layers scales its scores for heads of width `n_embd / n_head`,
    /// whatever their width.
    RootOfHeadUnless {
        /// That many.
        layers: usize,
    },
    /// Scores are used as they are.
    One,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::Join;
    use crate::fields::Parts;

    /// What the types do not rule out.
    #[test]
    fn the_data_do_not_contradict_themselves() {
        for arch in ALL {
            let name = format!("{}, {}", arch.name, arch.variant);
            let tables = match arch.layers {
                LayerRule::Alike(None) => 0,
                LayerRule::Alike(Some(table)) => usize::from(table) + 1,
                LayerRule::Stated => 2,
                LayerRule::FullEvery { period, first } => {
                    assert!(first < period, "{name}: the first full layer");
                    2
                }
            };
            assert_eq!(arch.ropes.len(), tables, "{name}: RoPE tables");
            assert!(arch.dense_keys.len() <= arch.dense.len(), "{name}: keys of dense heads");
            let can_be_absent = |tensor: &&str| arch.embedding.token_types == Some(*tensor);
            assert!(arch.optional_tensors.iter().all(can_be_absent), "{name}: optional tensors");
            let block = arch.block;
            assert!(
                arch.heads == HeadRule::Alike || arch.layers.slides(),
                "{name}: heads by window"
            );
            assert!(
                arch.heads == HeadRule::Alike || arch.score_scale == ScoreScale::One,
                "{name}: one scale for heads of several widths"
            );
            assert_eq!(
                arch.layer_inputs.is_some(),
                block.input_branch.is_some(),
                "{name}: inputs of layers"
            );
            let join = |join| match join {
                Join::Add => None,
                Join::AddNormed(norm) | Join::NormOfSum(norm) => Some(norm),
            };
            let joins = [Some(block.attn_join), Some(block.ffn_join)];
            let joins = joins.into_iter().chain([block.input_branch.map(|branch| branch.join)]);
            let joins = joins.map(|of| of.and_then(join));
            let norms = [block.attn_norm, block.ffn_norm, arch.output_norm, arch.embedding.norm];
            let norms = norms.into_iter().chain([arch.layer_inputs.map(|inputs| inputs.norm)]);
            let qk = block.qk_norm.map(|pair| pair.map(Some)).unwrap_or_default();
            let mut norms = norms.chain(joins).chain(qk).flatten();
            let biased = norms.any(|norm| norm.bias.is_some());
            assert!(arch.norm == NormRule::Layer || !biased, "{name}: only LayerNorm has biases");
            assert!(!arch.bare_first_layer || block.attn_norm.is_some(), "{name}: the first layer");
            let mut names = Vec::new();
            block.map_tensors(&mut |name: &&'static str| names.push(*name));
            if block.is_gate_beside_up() {
                names.retain(|name| *name != block.up.weight);
            }
            let unique: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(unique.len(), names.len(), "{name}: a tensor is named twice");
            for (i, other) in ALL.iter().enumerate() {
                let same = other.name == arch.name && other.variant == arch.variant;
                assert!(!same || std::ptr::eq(&ALL[i], arch), "{name}: listed twice");
            }
        }
    }
}
