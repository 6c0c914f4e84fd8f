//! A dimension is a type: [`Const`] if the build knows it, [`Dyn`] if it is known only at run time.
//!
//! Kernels are written once, generic over [`Dim`]. The specialised path passes `Const<768>`, the generic path
//! `Dyn(768)`. Apart from that, the specialised path only leaves out what its model lacks: other types of weights
//! ([`Model::Types`](crate::model::Model::Types)) and other operations ([`Model::OPS`](crate::model::Model::OPS)). The
//! results of both are equal bit for bit.

/// The size of one axis of a matrix.
pub trait Dim: Copy + Send + Sync + 'static {
    /// The dimension of this size, which for a constant dimension must be its constant.
    fn of(size: usize) -> Self;
    /// The number of elements along the axis.
    fn size(self) -> usize;
}

/// A dimension fixed at compile time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Const<const N: usize>;

/// A dimension read from a file at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dyn(pub usize);

impl<const N: usize> Dim for Const<N> {
    #[inline(always)]
    fn of(size: usize) -> Self {
        debug_assert_eq!(size, N);
        Const
    }
    #[inline(always)]
    fn size(self) -> usize {
        N
    }
}

impl Dim for Dyn {
    #[inline(always)]
    fn of(size: usize) -> Self {
        Dyn(size)
    }
    #[inline(always)]
    fn size(self) -> usize {
        self.0
    }
}
