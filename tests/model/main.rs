//! The model on every path: tiny models of every kind against the plain reference and against themselves, and the built
//! one through the library.

mod allocations;
mod architectures;
mod bytes;
mod changed_file;
mod examples;
mod gemma_embedding2;
mod generated;
mod image;
mod not_finite;
mod odd_files;
mod parity;
mod precision;
mod prefix;
mod reference;
mod same_bits;
mod stream;
mod support;
mod token_rows;

use monomorph_testing::counting_allocator::Counting;

/// `allocations` counts with it.
#[global_allocator]
static ALLOCATOR: Counting = Counting;
