//! The architectures that can be run, as data: what each one's files hold, by name, and what the model is.
//!
//! Invariant: this folder holds constants only. How they are read is in [`judge`](crate::judge), once for all of them.

mod gemma;

use crate::Pooling;
use crate::block::{Block, Embedding, Linear, Norm};
use crate::prompts::Prompt;

/// All of them. Where several have one name, the first whose [`marks`](Arch::marks) a file has is its own.
pub const ALL: &[Arch] = gemma::ALL;

/// A variant of an architecture's files.
#[derive(Debug, Clone, Copy)]
pub struct Arch {
    /// `general.architecture`, which is also how the names of the hyper-parameters' keys begin.
    pub name: &'static str,
    /// What sets this variant apart, in words.
    pub variant: &'static str,
    /// Tensors of which a file of this variant has one at least; none for the variant of all other files.
    pub marks: &'static [&'static str],
    /// Its norm; the epsilon is read from a key.
    pub norm: NormRule,
    /// Whether a position sees none of those after it.
    pub causal: bool,
    /// What the embeddings of tokens are multiplied by.
    pub embedding_scale: EmbeddingScale,
    /// The tensors that ids are looked up in.
    pub embedding: Embedding<&'static str>,
    /// The RoPE tables.
    pub ropes: &'static [RopeRule],
    /// Windows and RoPE tables of the layers.
    pub layers: LayerRule,
    /// A layer's tensors, without `blk.N.`.
    pub block: Block<&'static str>,
    /// The one number of layers with which scores are scaled by the width `n_embd / n_head` instead of a head's.
    pub share_scaled_layers: Option<usize>,
    /// Keys of the layers' shape that files may leave out: they then mean as many key/value heads as query heads, and
    /// heads of `n_embd / n_head`.
    pub optional_keys: &'static [&'static str],
    /// The last norm, before pooling.
    pub output_norm: Option<Norm<&'static str>>,
    /// Dense heads behind pooling in the order in which they apply. The last one's outputs are the vector's n_embd
    /// values; how many outputs the others have is the file's choice.
    pub heads: &'static [Linear<&'static str>],
    /// For each head the keys that state its inputs and outputs, where a file states them.
    pub head_keys: &'static [[&'static str; 2]],
    /// How tokens become one vector where neither the build nor the file says.
    pub pooling: Pooling,
    /// Why that is the default, for the warning of the build; none where files are not expected to say.
    pub pooling_reason: Option<&'static str>,
    /// `tokenizer.ggml.model`.
    pub tokenizer: &'static str,
    /// The prompts it was trained with.
    pub prompts: &'static [Prompt],
    /// The terms that hold where the file states none.
    pub terms: Option<&'static str>,
    /// What a user should know of such a file; `{pooling}` stands for the kind of pooling.
    pub notes: &'static [&'static str],
}

/// Which norm, and by which key a file states its epsilon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormRule {
    /// RMSNorm: `attention.layer_norm_rms_epsilon`.
    Rms,
    /// LayerNorm: `attention.layer_norm_epsilon`.
    Layer,
}

/// What the embeddings of tokens are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingScale {
    /// Nothing.
    One,
    /// The root of n_embd.
    RootOfWidth,
}

/// A RoPE table and the keys that it follows from.
#[derive(Debug, Clone, Copy)]
pub struct RopeRule {
    /// The key of its frequency base.
    pub base: &'static str,
    /// The base where the key is missing; none where it must be there.
    pub default: Option<f32>,
    /// Whether the keys `rope.scaling.*` hold for it.
    pub scaled: bool,
}

/// Windows and RoPE tables of the layers.
#[derive(Debug, Clone, Copy)]
pub enum LayerRule {
    /// Every layer sees the whole text and has this table, or none.
    Alike(Option<u8>),
    /// Layers slide, with the first table, but for every `n`th one, which sees the whole text and has the second. The
    /// window's width is `attention.sliding_window`.
    FullEvery(usize),
}
