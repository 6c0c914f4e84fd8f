//! GGUF files: what build time and run time read alike.
//!
//! A [`Header`] mirrors the file and judges only its form; whether it is a model that can be run is judged by the crate
//! `monomorph-spec`. Nothing here holds tensor data; a tensor is a place in the file.
//!
//! What this crate must never do: panic on a file's content, read outside the bytes it was given, or allocate more
//! than a small multiple of them.

#![forbid(unsafe_code)]

mod error;
mod header;
mod metadata;
mod reader;
mod tensor;
mod value;
mod vocabulary;
pub mod writer;

pub use error::{Error, Limit, Place, printable};
pub use header::{DEFAULT_ALIGNMENT, Header, MAGIC, Prefix, read_prefix};
pub use metadata::{FromValue, Metadata};
pub use tensor::{TensorInfo, TensorType};
pub use value::{Array, Value, ValueType};
pub use vocabulary::{Piece, PieceKind, Vocabulary};
