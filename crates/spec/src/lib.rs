//! What a model is: a header that was judged, as a description of the model and of where its tensors lie.
//!
//! Everything that later code takes for granted is checked here, once: shapes, types, agreement of hyper-parameters
//! with tensors, sizes of the vocabulary. [`Spec`] is the description, [`block`] what its layers are made of,
//! [`arch`] the architectures as data, [`judge`] the way from a header to a spec. Sizes are in values unless they say
//! bytes.
//!
//! What this crate must never do: panic on a file's content, or allocate more than a small multiple of its header.

#![forbid(unsafe_code)]

pub mod arch;
pub mod block;
mod differences;
pub mod fields;
pub mod fingerprint;
mod hyper;
pub mod judge;
mod keys;
mod license;
mod ops;
mod options;
mod prompts;
mod split;
mod tensor;
mod tensors;
mod tokenizer;
pub mod vocab_layout;

pub use block::{Activation, Block, Embedding, Join, Linear, Norm, NormKind, Qkv};
pub use fingerprint::Fingerprint;
pub use license::License;
pub use ops::Ops;
pub use options::BuildOptions;
pub use prompts::Prompt;
pub use tensor::{Role, Tensor, lookup, matrix, vector};
pub use tensors::MATRIX_TYPES;
pub use tokenizer::TokenizerSpec;

use arch::Arch;
use fields::{Parts, described};
use monomorph_gguf::{Error, Header};
use std::borrow::Cow;
use std::fmt;

described! {
    /// A model that this project can run, and where its tensors lie in the file.
    ///
    /// Its lists are borrowed where the build wrote them down as constants, and owned where a header was judged.
    pub struct Spec {
        /// `general.name`, or "unnamed".
        pub name: Cow<'static, str>,
        /// `general.architecture`.
        pub architecture: Cow<'static, str>,
        /// Which of the architecture's files this is, in words.
        pub variant: Cow<'static, str>,
        /// The model's terms.
        pub license: License,
        /// What the build chose where the file leaves a choice; applied to the other fields already.
        pub options: BuildOptions,
        /// What a user should know of this file.
        pub notes: Cow<'static, [Cow<'static, str>]>,
        /// Width of the residual stream, and of the vectors produced.
        pub n_embd: usize,
        /// Width of the feed-forward network.
        pub n_ff: usize,
        /// Number of query heads.
        pub n_head: usize,
        /// Number of key and value heads; divides `n_head`.
        pub n_head_kv: usize,
        /// Width of one head.
        pub head_dim: usize,
        /// Number of pieces in the vocabulary.
        pub n_vocab: usize,
        /// Longest text in tokens.
        pub n_ctx: usize,
        /// Every norm of the model.
        pub norm: NormKind,
        /// Whether a position sees none of those after it.
        pub causal: bool,
        /// What the products of queries and keys are multiplied by.
        pub score_scale: f32,
        /// What the embeddings of tokens are multiplied by.
        pub embedding_scale: f32,
        /// The tensors that ids are looked up in.
        pub embedding: Embedding<Tensor>,
        /// The RoPE tables.
        pub ropes: Cow<'static, [Rope]>,
        /// The layers, first to last.
        pub layers: Cow<'static, [Layer]>,
        /// The last norm, before pooling.
        pub output_norm: Option<Norm<Tensor>>,
        /// How a text's tokens become one vector.
        pub pooling: Pooling,
        /// The dense heads behind pooling in the order in which they apply.
        pub heads: Cow<'static, [Linear<Tensor>]>,
        /// The tokenizer's flags and special pieces.
        pub tokenizer: TokenizerSpec,
        /// The prompts that the model was trained with.
        pub prompts: Cow<'static, [Prompt]>,
    }
}

described! {
    /// A layer: what differs between layers whose tensors are laid out alike, and the block that they share.
    pub struct Layer {
        /// What the offsets of the block's tensors count from, in bytes from the file's start.
        pub base: u64,
        /// Which positions attention sees.
        pub window: Window,
        /// The number of the RoPE table in [`Spec::ropes`]; none where the layer does not rotate.
        pub rope: Option<u8>,
        /// The layer's tensors.
        pub block: Cow<'static, Block<Tensor>>,
    }
}

described! {
    /// A RoPE table.
    pub struct Rope {
        /// Its frequency base.
        pub base: f32,
        /// What positions are divided by.
        pub divisor: f32,
    }
}

described! {
    /// Which positions a layer's attention sees, as far as [`Spec::causal`] lets it.
    pub enum Window {
        /// All of them.
        Full,
        /// Those at most this far away.
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
    }
}

impl Spec {
    /// Judges a header: `Ok` means that the model can be run without another check of shapes.
    pub fn from_header(header: &Header<'_>) -> Result<Spec, Error> {
        Spec::from_header_with(header, BuildOptions::default())
    }

    /// [`Spec::from_header`] with the build's choices.
    pub fn from_header_with(header: &Header<'_>, options: BuildOptions) -> Result<Spec, Error> {
        Spec::from_header_among(header, options, arch::ALL)
    }

    /// [`Spec::from_header_with`] as if these were the architectures that there are.
    pub fn from_header_among(
        header: &Header<'_>,
        options: BuildOptions,
        architectures: &[Arch],
    ) -> Result<Spec, Error> {
        judge::spec(header, options, architectures)
    }

    /// In words, where this file differs from the one described by `other`, the build's: at most three differences
    /// and a count of the rest; none when the two are interchangeable but for their weights' values.
    pub fn differences(&self, other: &Spec) -> Vec<String> {
        differences::between(self, other)
    }

    /// Every tensor with its name and place in the file, in the order of use: embeddings, layers first to last, output
    /// norm, dense heads.
    pub fn tensors(&self) -> impl Iterator<Item = (Cow<'static, str>, Tensor)> {
        let named = |tensor: Tensor| (Cow::Borrowed(tensor.name), tensor);
        let layers = self.layers.iter().enumerate().flat_map(|(i, layer)| {
            let tensors = layer.tensors().into_iter();
            tensors.map(move |tensor| (format!("blk.{i}.{}", tensor.name).into(), tensor))
        });
        let mut behind = Vec::new();
        self.output_norm.map_tensors(&mut |tensor: &Tensor| behind.push(*tensor));
        for head in self.heads.iter() {
            head.map_tensors(&mut |tensor: &Tensor| behind.push(*tensor));
        }
        let mut embeddings = Vec::new();
        self.embedding.map_tensors(&mut |tensor: &Tensor| embeddings.push(*tensor));
        embeddings.into_iter().map(named).chain(layers).chain(behind.into_iter().map(named))
    }

    /// All matrices that rows are multiplied by: those of the layers, then the dense heads.
    pub fn matrices(&self) -> impl Iterator<Item = Tensor> + Clone + '_ {
        let layers = self.layers.iter().flat_map(Layer::matrices);
        layers.chain(self.heads.iter().map(|head| head.weight))
    }

    /// Number of layers.
    pub fn n_layer(&self) -> usize {
        self.layers.len()
    }

    /// Width of all query heads together.
    pub fn n_attn(&self) -> usize {
        self.n_head.saturating_mul(self.head_dim)
    }

    /// Width of all key heads together, and of all value heads.
    pub fn n_kv(&self) -> usize {
        self.n_head_kv.saturating_mul(self.head_dim)
    }
}

/// A layer of generated code.
pub const fn layer(
    base: u64,
    window: Window,
    rope: Option<u8>,
    block: &'static Block<Tensor>,
) -> Layer {
    Layer { base, window, rope, block: Cow::Borrowed(block) }
}

impl Layer {
    /// A layer whose base is its first tensor's place; the block's offsets count from the file's start.
    fn new(block: &Block<Tensor>, window: Window, rope: Option<u8>) -> Layer {
        let mut base = u64::MAX;
        block.map_tensors(&mut |tensor: &Tensor| base = base.min(tensor.offset));
        let relative =
            |tensor: &Tensor| Tensor { offset: tensor.offset.saturating_sub(base), ..*tensor };
        let block = Cow::Owned(block.map_tensors(&mut { relative }));
        Layer { base, window, rope, block }
    }

    /// The tensors with their places in the file, in the order of the block's declaration.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        self.block.map_tensors(&mut |tensor: &Tensor| tensors.push(tensor.at(self.base)));
        tensors
    }

    /// The matrices among [`Layer::tensors`].
    pub fn matrices(&self) -> impl Iterator<Item = Tensor> + Clone + use<> {
        self.tensors().into_iter().filter(|tensor| tensor.role == Role::Matrix)
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pooling::Mean => "mean",
            Pooling::Cls => "cls",
            Pooling::Last => "last",
        })
    }
}
