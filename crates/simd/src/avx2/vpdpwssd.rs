//! Integer products by `vpdpwssd`, which multiplies pairs of int16 and adds both to the sums: one instruction for two,
//! and no register between them. Intel's client CPUs have had it since Alder Lake; they lack AVX-512.

use super::tile::{define_dot_panel, dot_rows, pairs, same_length, sums};
use super::{Products, has_avx2};
use crate::{Pair, Unit, each};
use core::arch::x86_64::*;
use std::ops::Range;

/// Proof that the CPU has AVX2, FMA, F16C and AVX-VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Vpdpwssd(());

impl Products for Vpdpwssd {
    const NAME: &'static str = "avx-vnni";

    fn detect() -> Option<Self> {
        (has_avx2() && is_x86_feature_detected!("avxvnni")).then_some(Vpdpwssd(()))
    }
    #[inline(always)]
    fn dot_panel<const R: usize>(
        self,
        rows: [&[Pair; 16]; R],
        units: &[Unit; 16],
        of: Range<usize>,
    ) -> [[__m256i; 2]; R] {
        // SAFETY: `self` is proof of AVX2 and of AVX-VNNI.
        unsafe { dot_panel(rows, units, of) }
    }
}

define_dot_panel!(vpdpwssd (w0 w1 a));

/// The same products in the encoding of AVX-512, in which more CPUs have the instruction: a test of all else.
#[cfg(test)]
pub use evex::Evex;

#[cfg(test)]
mod evex {
    use super::*;

    /// Proof that the CPU has AVX2, FMA, F16C, and AVX-512 VNNI for 256 bits.
    #[derive(Clone, Copy, Debug)]
    pub struct Evex(());

    impl Products for Evex {
        const NAME: &'static str = "avx-vnni as avx512";

        fn detect() -> Option<Self> {
            let all = has_avx2()
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            all.then_some(Evex(()))
        }
        #[inline(always)]
        fn dot_panel<const R: usize>(
            self,
            rows: [&[Pair; 16]; R],
            units: &[Unit; 16],
            of: Range<usize>,
        ) -> [[__m256i; 2]; R] {
            // SAFETY: `self` is proof of AVX2 and of the instruction in this encoding.
            unsafe { dot_panel(rows, units, of) }
        }
    }

    define_dot_panel!(vpdpwssd_evex (w0 w1 a));
}
