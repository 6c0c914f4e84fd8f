//! Integer products by `vpmaddwd`, which multiplies pairs of int16 and adds both; `vpaddd` adds that to the sums.

use super::tile::{define_dot_panel, dot_rows, pairs, same_length, sums};
use super::{Products, has_avx2};
use crate::{Pair, Unit, each};
use core::arch::x86_64::*;
use std::ops::Range;

/// Proof that the CPU has AVX2, FMA and F16C.
#[derive(Clone, Copy, Debug)]
pub struct Vpmaddwd(());

impl Products for Vpmaddwd {
    const NAME: &'static str = "avx2";

    fn detect() -> Option<Self> {
        has_avx2().then_some(Vpmaddwd(()))
    }
    #[inline(always)]
    fn dot_panel<const R: usize>(
        self,
        rows: [&[Pair; 16]; R],
        units: &[Unit; 16],
        of: Range<usize>,
    ) -> [[__m256i; 2]; R] {
        // SAFETY: `self` is proof of AVX2, which has the addition, too.
        unsafe { dot_panel(rows, units, of) }
    }
}

define_dot_panel!(vpmaddwd (w0 w1 a t));
