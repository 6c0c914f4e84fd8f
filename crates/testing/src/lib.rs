//! What tests and fuzz targets share: tiny models, damaged files, random numbers, a counting allocator, an HTTP client.
//!
//! Nothing that is shipped depends on this crate.

#![allow(missing_docs)] // Only this repository's tests use it.

pub mod architecture;
pub mod counting_allocator;
pub mod files;
pub mod http;
pub mod mutate;
mod random;
pub mod random_blocks;
pub mod tiny;

pub use random::Random;
