//! The description of a model and of where its tensors lie, judged from a file's header.
//!
//! Everything that later code takes for granted is checked here, once: shapes, types, the vocabulary's size, and that
//! hyper-parameters agree with the tensors. [`Spec`] is the description, [`block`] defines what its layers are made of,
//! [`arch`] lists the architectures as data, `judge` turns a header into a spec, and [`place`] knows which tensors it
//! must have. Sizes count values unless they say bytes.
//!
//! This crate must never panic on a file's content, nor allocate more than a small multiple of the header's size.

#![forbid(unsafe_code)]

pub mod arch;
pub mod block;
pub mod byte_alphabet;
pub mod characters;
mod differences;
pub mod fields;
pub mod fingerprint;
mod heads;
mod hyper;
mod judge;
mod keys;
mod known;
mod license;
mod ops;
pub mod options;
pub mod place;
mod prompts;
mod split;
mod tensor;
mod tensors;
mod tokenizer;
pub mod vocab_layout;

pub use block::{
    Activation, Block, Embedding, InputBranch, Join, LayerInputs, Linear, Norm, NormKind, Qkv,
};
pub use fingerprint::Fingerprint;
pub use keys::WIDTH_MULTIPLE;
pub use license::{License, Terms};
pub use ops::Ops;
pub use options::BuildOptions;
pub use prompts::Prompt;
pub use tensor::{Role, Tensor, lookup, matrix, vector};
pub use tensors::MATRIX_TYPES;
pub use tokenizer::{Algorithm, Split, TokenizerSpec, WordNormalizer};

use arch::Arch;
use fields::{Parts, described};
use monomorph_gguf::{Error, Header};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

described! {
    /// A model that this project can run, and where its tensors lie in the file.
    ///
    /// Its lists are borrowed in generated code, where they are constants, and owned in a spec that was judged from a
    /// header.
    pub struct Spec {
        /// `general.name`, or "unnamed".
        pub name: Cow<'static, str>,
        /// `general.architecture`.
        pub architecture: Cow<'static, str>,
        /// Which variant of the architecture's files this is, in words.
        pub variant: Cow<'static, str>,
        /// The model's terms.
        pub license: License,
        /// What the build chose where the file leaves a choice; the other fields already reflect it.
        pub options: BuildOptions,
        /// What a user should know about this file.
        pub notes: Cow<'static, [Cow<'static, str>]>,
        /// Width of the residual stream.
        pub n_embd: usize,
        /// Width of the vectors produced: that of the last dense head, or of the residual stream.
        pub n_out: usize,
        /// Width of the feed-forward network.
        pub n_ff: usize,
        /// Number of query heads.
        pub n_head: usize,
        /// Number of key and value heads; divides `n_head`.
        pub n_head_kv: usize,
        /// Width of one head.
        pub head_dim: usize,
        /// The heads of layers that see the whole text, if they are others than these.
        pub full_heads: Option<Heads>,
        /// Number of pieces in the vocabulary.
        pub n_vocab: usize,
        /// Longest text in tokens.
        pub n_ctx: usize,
        /// Which norm the model has, everywhere.
        pub norm: NormKind,
        /// Whether attention is causal: no position sees those after it.
        pub causal: bool,
        /// The factor of attention scores, which are the products of queries and keys.
        pub score_scale: f32,
        /// The factor of the token embeddings.
        pub embedding_scale: f32,
        /// The embedding tables, and the norm of their sum.
        pub embedding: Embedding<Tensor>,
        /// What makes the layers' own inputs.
        pub layer_inputs: Option<LayerInputs<Tensor>>,
        /// The RoPE tables.
        pub ropes: Cow<'static, [Rope]>,
        /// The layers, first to last.
        pub layers: Cow<'static, [Layer]>,
        /// The last norm, before pooling.
        pub output_norm: Option<Norm<Tensor>>,
        /// How a text's tokens become one vector.
        pub pooling: Pooling,
        /// The dense heads after pooling, in the order in which they apply.
        pub dense: Cow<'static, [Linear<Tensor>]>,
        /// The tokenizer's flags and special pieces.
        pub tokenizer: TokenizerSpec,
        /// The prompts that the model was trained with.
        pub prompts: Cow<'static, [Prompt]>,
        /// How its vectors are made shorter.
        pub shortening: Shortening,
    }
}

described! {
    /// A layer: its block, which layers whose tensors are laid out alike can share, and what sets it apart from them.
    pub struct Layer {
        /// Where the offsets of the block's tensors count from, in bytes from the start of the file.
        pub start: u64,
        /// Which positions attention sees.
        pub window: Window,
        /// The index of its RoPE table in [`Spec::ropes`]; `None` if the layer applies no RoPE.
        pub rope: Option<u8>,
        /// The layer's tensors.
        pub block: Cow<'static, Block<Tensor>>,
    }
}

described! {
    /// The attention heads of a layer.
    #[derive(Copy, Eq)]
    pub struct Heads {
        /// Number of query heads.
        pub n_head: usize,
        /// Number of key and value heads; divides `n_head`.
        pub n_head_kv: usize,
        /// Width of one head.
        pub head_dim: usize,
    }
}

impl Heads {
    /// So many heads of this width.
    pub const fn new(n_head: usize, n_head_kv: usize, head_dim: usize) -> Heads {
        Heads { n_head, n_head_kv, head_dim }
    }

    /// Width of all query heads together.
    pub const fn n_attn(&self) -> usize {
        self.n_head.saturating_mul(self.head_dim)
    }

    /// Width of all key heads together, and of all value heads.
    pub const fn n_kv(&self) -> usize {
        self.n_head_kv.saturating_mul(self.head_dim)
    }
}

described! {
    /// A RoPE table.
    pub struct Rope {
        /// Width of the heads that it rotates.
        pub head_dim: usize,
        /// Its frequency base.
        pub base: f32,
        /// What positions are divided by.
        pub divisor: f32,
    }
}

impl Rope {
    /// The table for heads of this width.
    pub const fn new(head_dim: usize, base: f32, divisor: f32) -> Rope {
        Rope { head_dim, base, divisor }
    }
}

described! {
    /// Which positions a layer's attention sees, within what [`Spec::causal`] allows.
    pub enum Window {
        /// All of them.
        Full,
        /// Those at most this many positions away.
        Sliding(usize),
    }
}

described! {
    /// How a text's tokens become one vector.
    #[derive(Eq)]
    pub enum Pooling {
        /// The mean over all tokens.
        Mean,
        /// The first token.
        Cls,
        /// The last token.
        Last,
        /// The largest value of all tokens, for each dimension.
        Max,
    }
}

described! {
    /// How a vector is made shorter than the model's (Matryoshka, Kusupati et al. 2022).
    #[derive(Eq)]
    pub enum Shortening {
        /// It is cut.
        Cut,
        /// It is normalised as LayerNorm does, without gain and bias and with an epsilon of 1e-5, and then cut.
        LayerNormAndCut,
    }
}

impl Spec {
    /// Judges a header: `Ok` means that the model can be run without checking any shape again.
    pub fn from_header(header: &Header<'_>) -> Result<Spec, Error> {
        Spec::from_header_with(header, BuildOptions::default())
    }

    /// [`Spec::from_header`] with the build's choices.
    pub fn from_header_with(header: &Header<'_>, options: BuildOptions) -> Result<Spec, Error> {
        Spec::from_header_among(header, options, arch::ALL)
    }

    /// [`Spec::from_header_with`] with these architectures in place of [`arch::ALL`].
    pub fn from_header_among(
        header: &Header<'_>,
        options: BuildOptions,
        architectures: &[Arch],
    ) -> Result<Spec, Error> {
        judge::spec(header, options, architectures)
    }

    /// Describes in words where this file differs from the build's, which `other` describes: at most three differences
    /// and a count of the rest. Empty if the two are interchangeable except for the values of their weights.
    pub fn differences(&self, other: &Spec) -> Vec<String> {
        differences::between(self, other)
    }

    /// Every tensor with its name and place in the file, in the order of use: embeddings, what makes the layers' inputs,
    /// layers first to last, output norm, dense heads.
    pub fn tensors(&self) -> impl Iterator<Item = (Cow<'static, str>, Tensor)> {
        let named = |tensor: Tensor| (Cow::Borrowed(tensor.name), tensor);
        let layers = self.layers.iter().enumerate().flat_map(|(i, layer)| {
            let tensors = layer.tensors().into_iter();
            tensors.map(move |tensor| (format!("blk.{i}.{}", tensor.name).into(), tensor))
        });
        let mut behind = Vec::new();
        self.output_norm.map_tensors(&mut |tensor: &Tensor| behind.push(*tensor));
        for head in self.dense.iter() {
            head.map_tensors(&mut |tensor: &Tensor| behind.push(*tensor));
        }
        let mut embeddings = Vec::new();
        self.embedding.map_tensors(&mut |tensor: &Tensor| embeddings.push(*tensor));
        self.layer_inputs.map_tensors(&mut |tensor: &Tensor| embeddings.push(*tensor));
        embeddings.into_iter().map(named).chain(layers).chain(behind.into_iter().map(named))
    }

    /// All matrices that rows are multiplied by: those of the layers, then those of the dense heads.
    pub fn matrices(&self) -> impl Iterator<Item = Tensor> + Clone + '_ {
        self.layer_matrices().chain(self.dense.iter().map(|head| head.weight))
    }

    /// The matrices that each token's row is multiplied by: the one that makes the layers' inputs, and their own.
    pub fn layer_matrices(&self) -> impl Iterator<Item = Tensor> + Clone + '_ {
        let inputs = self.layer_inputs.iter().map(|inputs| inputs.project.weight);
        inputs.chain(self.layers.iter().flat_map(Layer::matrices))
    }

    /// Number of layers.
    pub fn n_layer(&self) -> usize {
        self.layers.len()
    }

    /// The heads of layers that slide, and of all others unless these have [heads of their own](Spec::full_heads).
    pub fn heads(&self) -> Heads {
        Heads::new(self.n_head, self.n_head_kv, self.head_dim)
    }

    /// The heads of a layer with this window.
    pub fn heads_of(&self, window: Window) -> Heads {
        match (window, self.full_heads) {
            (Window::Full, Some(heads)) => heads,
            _ => self.heads(),
        }
    }

    /// Width of a layer's own input; 0 if layers have none.
    pub fn n_layer_input(&self) -> usize {
        self.layer_inputs.map_or(0, |inputs| inputs.norm.gain.cols)
    }
}

/// A layer, as generated code writes it.
pub const fn layer(
    start: u64,
    window: Window,
    rope: Option<u8>,
    block: &'static Block<Tensor>,
) -> Layer {
    Layer { start, window, rope, block: Cow::Borrowed(block) }
}

impl Layer {
    /// A layer whose start is the lowest offset among its tensors. The offsets in `block` count from the start of the
    /// file.
    fn new(block: &Block<Tensor>, window: Window, rope: Option<u8>) -> Layer {
        let mut start = u64::MAX;
        block.map_tensors(&mut |tensor: &Tensor| start = start.min(tensor.offset));
        let relative =
            |tensor: &Tensor| Tensor { offset: tensor.offset.saturating_sub(start), ..*tensor };
        let block = Cow::Owned(block.map_tensors(&mut { relative }));
        Layer { start, window, rope, block }
    }

    /// The tensors with their places in the file, in the order in which [`Block`] declares them.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        self.block.map_tensors(&mut |tensor: &Tensor| tensors.push(tensor.at(self.start)));
        tensors
    }

    /// The matrices among [`Layer::tensors`].
    pub fn matrices(&self) -> impl Iterator<Item = Tensor> + Clone + use<> {
        self.tensors().into_iter().filter(|tensor| tensor.role == Role::Matrix)
    }
}

impl Pooling {
    /// All kinds.
    pub const ALL: &[Pooling] = &[Pooling::Mean, Pooling::Cls, Pooling::Last, Pooling::Max];

    /// The name, for people and for the build's choice.
    pub const fn name(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
            Pooling::Last => "last",
            Pooling::Max => "max",
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pooling {
    type Err = UnknownPooling;

    /// The pooling of that name.
    fn from_str(name: &str) -> Result<Pooling, UnknownPooling> {
        Pooling::ALL.iter().copied().find(|pooling| pooling.name() == name).ok_or(UnknownPooling)
    }
}

/// No pooling has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPooling;
