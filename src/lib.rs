//! monomorph: compiles an embedding model into its own binary.
//!
//! The build reads a GGUF header ([`MODEL_GGUF`](crate::built)) and generates the model's dimensions as constants, its
//! tensor offsets and its vocabulary tables. At run time the file is mapped and [`Embedder`] turns text into vectors.
//!
//! Data flows one way: file, header, spec, generated constants ([`built`]), encoder, vector. Kernels stand apart: they
//! know slices, dimensions and instruction sets, nothing of models or files.

// Generated code names this crate by its absolute path, so that it also compiles in a test of its own.
extern crate self as monomorph;

pub mod built;
mod choice;
mod embedder;
mod error;
mod gate;
mod image;
mod license;
mod options;
mod pack;
mod pass;
mod precision;
mod prompt;
mod request;
mod stream;
pub mod tokenizer;
mod unicode;
mod vector;
mod watch;

pub use choice::{Choice, UnknownValue};
pub use embedder::{Embedder, Info, Memory};
pub use error::Error;
pub use license::license;
pub use monomorph_quant::image::Form;
pub use monomorph_quant::packed::Unfit;
pub use monomorph_spec::{Prompt, Spec};
pub use options::{EmbedOptions, Kernels, OpenOptions, Truncate};
pub use pack::pack;
pub use pass::Pass;
pub use precision::{BitOrder, Precision, Quantizer, Ranges, RangesMissing, Values};
pub use prompt::prompt_by_name;
pub use request::Embedding;
pub use stream::{Counts, Stream, WithTexts};
pub use unicode::Unicode;
pub use vector::cosine;

/// What generated code uses, and nothing else.
#[doc(hidden)]
pub mod generated_prelude {
    pub use monomorph_encoder::dim::Const;
    pub use monomorph_encoder::model::Model;
    pub use monomorph_gguf::TensorType::{self, *};
    pub use monomorph_quant::Types;
    pub use monomorph_spec::{
        Activation, Algorithm, Block, BuildOptions, Embedding, Fingerprint, Heads, InputBranch,
        Join, Layer, LayerInputs, License, Linear, Norm, NormKind, Ops, Pooling, Prompt, Qkv, Rope,
        Shortening, Spec, Split, Tensor, TokenizerSpec, Window, WordNormalizer, layer, lookup,
        matrix, vector,
    };
    pub use std::borrow::Cow;
}
