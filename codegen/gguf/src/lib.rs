//! GGUF files: what build time and run time must agree on.
//!
//! Data flows one way: bytes, [`Header`] (mirrors the file and judges only its form), [`Spec`] (judges whether it is
//! a model this project can run), generated constants. Nothing here holds tensor data; a tensor is a place in the file.
//!
//! What this crate must never do: panic on a file's content, read outside the bytes it was given, or allocate more
//! than a small multiple of them.

#![forbid(unsafe_code)]

mod error;
pub mod fingerprint;
mod header;
mod metadata;
mod reader;
pub mod spec;
mod tensor;
mod value;
pub mod vocab_layout;
mod vocabulary;
pub mod writer;

pub use error::{Error, Limit, Place};
pub use fingerprint::Fingerprint;
pub use header::{DEFAULT_ALIGNMENT, Header, MAGIC, Prefix, read_prefix};
pub use metadata::{FromValue, Metadata};
pub use spec::{
    Attention, Choices, FileShape, Layer, MATRIX_TYPES, Pooling, Spec, Tensor, TokenizerSpec,
};
pub use tensor::{TensorInfo, TensorType};
pub use value::{Array, Value, ValueType};
pub use vocabulary::{Piece, PieceKind, Vocabulary};
