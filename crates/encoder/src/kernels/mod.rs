//! The operations of a transformer, each in a file of its own: safe code but for `columns`, generic over [`Isa`](monomorph_simd::Isa) and
//! [`Dim`](crate::dim::Dim), with a plain reference in its tests.
//!
//! Invariant: kernels know slices, dimensions, panels and instruction sets, but nothing of models, files or threads;
//! only `matrix` also knows the block formats of files, which it repacks. A
//! product writes to columns that its caller hands out ([`ColumnsMut`](columns::ColumnsMut)).

pub mod activation;
pub mod attention;
pub mod columns;
pub mod exp;
mod group;
pub mod layer_norm;
pub mod matmul;
pub mod matrix;
pub mod quantize;
pub mod residual;
pub mod rms_norm;
pub mod rope;
pub mod softmax;
pub mod tile;

use monomorph_simd::LANES;

/// A slice as vectors of sixteen floats; its length must be a multiple of sixteen.
#[inline(always)]
pub(crate) fn lanes(x: &[f32]) -> &[[f32; LANES]] {
    let (vectors, rest) = x.as_chunks();
    debug_assert!(rest.is_empty());
    vectors
}

/// [`lanes`], for writing.
#[inline(always)]
pub(crate) fn lanes_mut(x: &mut [f32]) -> &mut [[f32; LANES]] {
    let (vectors, rest) = x.as_chunks_mut();
    debug_assert!(rest.is_empty());
    vectors
}
