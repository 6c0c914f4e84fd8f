//! The specification of a model: what a header says once it has been judged.
//!
//! Everything that later code takes for granted is checked here, once: shapes, types, agreement of hyper-parameters
//! with tensors, sizes of the vocabulary. Sizes are in values unless they say bytes.
//!
//! What this crate must never do: panic on a file's content, or allocate more than a small multiple of its header.

#![forbid(unsafe_code)]

mod differences;
pub mod fingerprint;
mod hyper;
mod judge;
mod keys;
mod options;
pub mod prompts;
mod split;
mod tensors;
pub mod vocab_layout;

pub use fingerprint::Fingerprint;
pub use options::BuildOptions;
pub use prompts::Prompt;
pub use tensors::MATRIX_TYPES;

use std::borrow::Cow;
use std::fmt;

use monomorph_gguf::{Error, Header, TensorType};

/// A model that this project can run, and where its tensors lie in the file.
///
/// Its lists are borrowed where the build wrote them down as constants, and owned where a header was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// `general.name`, or "unnamed".
    pub name: Cow<'static, str>,
    /// `general.architecture`.
    pub architecture: Cow<'static, str>,
    /// `general.license`.
    pub license: Option<Cow<'static, str>>,
    /// `general.license.name`.
    pub license_name: Option<Cow<'static, str>>,
    /// `general.license.link`.
    pub license_link: Option<Cow<'static, str>>,
    /// Which of the model's files this is.
    pub shape: FileShape,
    /// What the build chose where the file leaves a choice; applied to the other fields already.
    pub choices: BuildOptions,
    /// Width of the residual stream, and of the vectors produced.
    pub n_embd: usize,
    /// Width of the feed-forward layer.
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
    /// Epsilon of every RMSNorm.
    pub rms_eps: f32,
    /// Whether a position sees none of those behind it.
    pub causal: bool,
    /// In sliding layers a position sees those at most this far away.
    pub attention_radius: usize,
    /// What the products of queries and keys are multiplied by.
    pub attention_scale: f32,
    /// How a text's tokens become one vector.
    pub pooling: Pooling,
    /// RoPE's frequency base in full layers.
    pub rope_base_full: f32,
    /// RoPE's frequency base in sliding layers.
    pub rope_base_sliding: f32,
    /// What RoPE divides the positions of full layers by.
    pub rope_divisor_full: f32,
    /// Embeddings, `n_vocab` rows of `n_embd`.
    pub token_embd: Tensor,
    /// Weight of the last RMSNorm, `n_embd` values.
    pub output_norm: Tensor,
    /// The layers, first to last.
    pub layers: Cow<'static, [Layer]>,
    /// The dense heads behind pooling in the order they apply: two or none.
    pub dense: Cow<'static, [Tensor]>,
    /// The tokenizer's flags and special pieces.
    pub tokenizer: TokenizerSpec,
}

/// The tensors of one layer. Matrices are rows (outputs) by columns (inputs); norms are one row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub struct Layer {
    pub attention: Attention,
    pub attn_norm: Tensor,
    pub attn_q: Tensor,
    pub attn_k: Tensor,
    pub attn_v: Tensor,
    pub attn_output: Tensor,
    pub attn_q_norm: Tensor,
    pub attn_k_norm: Tensor,
    pub post_attention_norm: Tensor,
    pub ffn_norm: Tensor,
    pub ffn_gate: Tensor,
    pub ffn_up: Tensor,
    pub ffn_down: Tensor,
    pub post_ffw_norm: Tensor,
}

/// A tensor's place in the file. Its name follows from its place in [`Spec`]: see [`Spec::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    /// How its values are stored.
    pub kind: TensorType,
    /// Rows: outputs of a matrix (n), 1 for a norm.
    pub rows: usize,
    /// Columns: inputs of a matrix (k), the file's first dimension.
    pub cols: usize,
    /// Where its data begins, in bytes from the file's start.
    pub offset: u64,
    /// Length of its data in bytes.
    pub n_bytes: u64,
}

/// The shapes in which this model's files are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileShape {
    /// `gemma-embedding` with `dense_2` and `dense_3`: the vectors the model was trained for.
    WithDense,
    /// `gemma-embedding` without dense heads: another vector space of the same width.
    WithoutDense,
    /// Ollama's: `gemma3` with `dense.0`, `dense.1` and `norm`.
    Ollama,
    /// `gemma3` without dense heads: Gemma 3 itself, a causal decoder that was not trained to embed.
    LanguageModel,
}

/// Which positions a layer's attention sees, as far as [`Spec::causal`] lets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// Those within [`Spec::attention_radius`].
    Sliding,
    /// All of them.
    Full,
}

/// How a text's tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens.
    Mean,
    /// The first token.
    Cls,
    /// The last token.
    Last,
}

/// The tokenizer's flags and special pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenizerSpec {
    /// Id of the piece that begins a text.
    pub bos: u32,
    /// Id of the piece that ends a text.
    pub eos: u32,
    /// Id of the piece for what no piece covers.
    pub unknown: Option<u32>,
    /// Whether texts begin with `bos`.
    pub add_bos: bool,
    /// Whether texts end with `eos`.
    pub add_eos: bool,
    /// Whether a space is put before the text.
    pub add_space_prefix: bool,
}

impl Spec {
    /// Judges a header: `Ok` means that the model can be run without another check of shapes.
    pub fn from_header(header: &Header<'_>) -> Result<Spec, Error> {
        Spec::from_header_with(header, BuildOptions::default())
    }

    /// [`Spec::from_header`] with the build's choices.
    pub fn from_header_with(header: &Header<'_>, choices: BuildOptions) -> Result<Spec, Error> {
        judge::spec(header, choices)
    }

    /// In words, where this file differs from the one described by `other`, the build's: at most three differences
    /// and a count of the rest; none when the two are interchangeable but for their weights' values.
    pub fn differences(&self, other: &Spec) -> Vec<String> {
        differences::between(self, other)
    }

    /// Every tensor with its name in the file: embeddings, layers first to last, output norm, dense heads.
    pub fn tensors(&self) -> impl Iterator<Item = (String, Tensor)> {
        let layers = self.layers.iter().enumerate().flat_map(|(i, layer)| {
            layer
                .named()
                .into_iter()
                .map(move |(name, tensor)| (format!("blk.{i}.{name}.weight"), tensor))
        });
        let dense = self.shape.dense_names().into_iter().zip(self.dense.iter());
        std::iter::once(("token_embd.weight".to_owned(), self.token_embd))
            .chain(layers)
            .chain([(self.shape.output_norm_name().to_owned(), self.output_norm)])
            .chain(dense.map(|(name, tensor)| (name.to_owned(), *tensor)))
    }

    /// All matrices that rows are multiplied by: those of the layers, then the dense heads.
    pub fn matrices(&self) -> impl Iterator<Item = Tensor> + Clone + '_ {
        self.layers.iter().flat_map(Layer::matrices).chain(self.dense.iter().copied())
    }

    /// Number of layers.
    pub fn n_layer(&self) -> usize {
        self.layers.len()
    }
}

impl Tensor {
    /// A tensor of whole blocks at an offset.
    pub const fn new(kind: TensorType, rows: usize, cols: usize, offset: u64) -> Tensor {
        let blocks = rows as u64 * (cols as u64 / kind.block_len() as u64);
        Tensor { kind, rows, cols, offset, n_bytes: blocks * kind.block_bytes() as u64 }
    }

    const fn at(mut self, base: u64) -> Tensor {
        self.offset += base;
        self
    }
}

impl Layer {
    /// This layer with `base` added to all offsets, for tables of layers that are laid out alike.
    pub const fn at(mut self, base: u64, attention: Attention) -> Layer {
        self.attention = attention;
        self.attn_norm = self.attn_norm.at(base);
        self.attn_q = self.attn_q.at(base);
        self.attn_k = self.attn_k.at(base);
        self.attn_v = self.attn_v.at(base);
        self.attn_output = self.attn_output.at(base);
        self.attn_q_norm = self.attn_q_norm.at(base);
        self.attn_k_norm = self.attn_k_norm.at(base);
        self.post_attention_norm = self.post_attention_norm.at(base);
        self.ffn_norm = self.ffn_norm.at(base);
        self.ffn_gate = self.ffn_gate.at(base);
        self.ffn_up = self.ffn_up.at(base);
        self.ffn_down = self.ffn_down.at(base);
        self.post_ffw_norm = self.post_ffw_norm.at(base);
        self
    }

    /// All tensors, in the order of [`Layer::named`].
    pub fn tensors_mut(&mut self) -> [&mut Tensor; 13] {
        [
            &mut self.attn_norm,
            &mut self.attn_q,
            &mut self.attn_k,
            &mut self.attn_v,
            &mut self.attn_output,
            &mut self.attn_q_norm,
            &mut self.attn_k_norm,
            &mut self.post_attention_norm,
            &mut self.ffn_norm,
            &mut self.ffn_gate,
            &mut self.ffn_up,
            &mut self.ffn_down,
            &mut self.post_ffw_norm,
        ]
    }

    /// The matrices, in the order of their use.
    pub fn matrices(&self) -> [Tensor; 7] {
        [
            self.attn_q,
            self.attn_k,
            self.attn_v,
            self.attn_output,
            self.ffn_gate,
            self.ffn_up,
            self.ffn_down,
        ]
    }

    /// The layer's tensors by GGUF name, without `blk.N.` and `.weight`.
    pub fn named(&self) -> [(&'static str, Tensor); 13] {
        [
            ("attn_norm", self.attn_norm),
            ("attn_q", self.attn_q),
            ("attn_k", self.attn_k),
            ("attn_v", self.attn_v),
            ("attn_output", self.attn_output),
            ("attn_q_norm", self.attn_q_norm),
            ("attn_k_norm", self.attn_k_norm),
            ("post_attention_norm", self.post_attention_norm),
            ("ffn_norm", self.ffn_norm),
            ("ffn_gate", self.ffn_gate),
            ("ffn_up", self.ffn_up),
            ("ffn_down", self.ffn_down),
            ("post_ffw_norm", self.post_ffw_norm),
        ]
    }
}

impl FileShape {
    /// Name of the last RMSNorm's weight.
    pub fn output_norm_name(self) -> &'static str {
        match self {
            FileShape::Ollama => "norm.weight",
            _ => "output_norm.weight",
        }
    }

    /// Whether the model has the dense heads of [`FileShape::dense_names`].
    pub fn has_dense(self) -> bool {
        matches!(self, FileShape::WithDense | FileShape::Ollama)
    }

    /// Whether the model was trained with EmbeddingGemma's prompts.
    pub fn has_prompts(self) -> bool {
        self != FileShape::LanguageModel
    }

    /// Names of the dense heads' weights in the order they apply.
    pub fn dense_names(self) -> [&'static str; 2] {
        match self {
            FileShape::Ollama => ["dense.0.weight", "dense.1.weight"],
            _ => ["dense_2.weight", "dense_3.weight"],
        }
    }
}

impl fmt::Display for FileShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileShape::WithDense => "with dense heads",
            FileShape::WithoutDense => "without dense heads",
            FileShape::Ollama => "with dense heads, in Ollama's names",
            FileShape::LanguageModel => "a causal language model",
        })
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

impl fmt::Display for Attention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Attention::Sliding => "sliding",
            Attention::Full => "full",
        })
    }
}
