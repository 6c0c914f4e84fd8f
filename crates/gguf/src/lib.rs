//! Reads GGUF files, at build time and at run time.
//!
//! A [`Header`] mirrors the file and checks only that it is well formed; the crate `monomorph-spec` decides whether it
//! is a model that can be run. Nothing here holds tensor data: a tensor is described by its place in the file.
//!
//! What this crate must never do: panic on a file's content, read outside the bytes it was given, or allocate more
//! than a small multiple of them.

#![forbid(unsafe_code)]

mod error;
mod header;
mod metadata;
mod other;
mod reader;
mod tensor;
mod value;
mod vocabulary;
pub mod writer;

pub use error::{Error, Limit, Place, printable, printable_text};
pub use header::{DEFAULT_ALIGNMENT, Header, MAGIC, Prefix, read_prefix};
pub use metadata::{FromValue, Metadata};
pub use tensor::{TensorInfo, TensorType};
pub use value::{Array, Value, ValueType};
pub use vocabulary::{CHARSMAP, MASK, MERGES, Piece, PieceKind, Vocabulary};
