//! monomorph: an embedding model compiled into a binary of its own.
//!
//! The build reads a GGUF header ([`MODEL_GGUF`](crate::built)) and generates the model's dimensions as constants, its
//! tensor offsets and its vocabulary tables. At run time the file is mapped and [`Embedder`] turns text into vectors.
//!
//! Data flows one way: file, header, spec, generated constants ([`built`]), [`encoder`], vector. [`kernels`] stand
//! apart: they know slices, dimensions and instruction sets ([`isa`]), nothing of models or files.

// Generated code names this crate by its absolute path, so that it also compiles in a test of its own.
extern crate self as monomorph;

pub mod built;
pub mod dim;
mod embedder;
pub mod encoder;
mod error;
mod gate;
pub mod isa;
pub mod kernels;
pub mod model;
pub mod pool;
mod precision;
mod prompt;
#[cfg(test)]
#[path = "../codegen/quant/tests/support/random_blocks.rs"]
mod random_blocks;
mod request;
mod stream;
pub mod tokenizer;
mod unicode;
mod vector;
mod watch;
pub mod weights;

pub use embedder::{
    EmbedOptions, Embedder, Embedding, Info, Kernels, Memory, OpenOptions, Truncate,
};
pub use error::Error;
pub use monomorph_quant as quant;
pub use precision::{BitOrder, Precision, Quantizer, Ranges, RangesMissing, Values};
pub use prompt::{Prompt, UnknownPrompt};
pub use stream::{Stream, WithTexts};
pub use unicode::Unicode;

/// What generated code uses, and nothing else.
#[doc(hidden)]
pub mod generated_prelude {
    pub use crate::dim::Const;
    pub use crate::model::Model;
    pub use crate::quant::Types;
    pub use monomorph_gguf::{
        Attention, Choices, FileShape, Fingerprint, Layer, Pooling, Spec, Tensor, TensorType,
        TokenizerSpec,
    };
    pub use std::borrow::Cow;
}
