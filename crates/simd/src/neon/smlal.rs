//! Integer products by `smlal`, which every arm64 CPU has: it multiplies four int16 of each operand.

use super::{Products, Sums, load_bytes, narrow};
use crate::{LANES, Pair, Unit, each};
use core::arch::aarch64::*;
use std::ops::Range;

/// Proof that the CPU has NEON.
#[derive(Clone, Copy, Debug)]
pub struct Smlal(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw NEON, the feature of every intrinsic used with this macro; the
        // memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "neon")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Products for Smlal {
    const NAME: &'static str = "neon";
    /// 20 registers of sums, 4 of widened weights and 5 of rows.
    const INT_SUMS: usize = 5;
    const STEP: usize = 2;

    fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Smlal(()))
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        lanes!(with_features(f))
    }
    #[inline(always)]
    fn store_inputs(self, v: Sums, to: &mut [i16; LANES]) {
        lanes!({
            let [low, high] = narrow(v);
            vst1q_s16(to.as_mut_ptr(), low);
            vst1q_s16(to.as_mut_ptr().add(8), high);
        })
    }
    #[inline(always)]
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES] {
        *stored
    }
    #[inline(always)]
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Sums; C]; R] {
        // Four units at a time, which eight inputs of each row multiply: one register, by element.
        let mut sums = lanes!([[[vdupq_n_s32(0); 4]; C]; R]);
        for i in of.start / 4..of.end / 4 {
            let a = each(rows, |row| lanes!(vreinterpretq_s16_s8(load_bytes(row, i))));
            self.pairs::<0, 1, R, C>(&mut sums, each(units, |units| &units[4 * i]), a);
            self.pairs::<2, 3, R, C>(&mut sums, each(units, |units| &units[4 * i + 1]), a);
            self.pairs::<4, 5, R, C>(&mut sums, each(units, |units| &units[4 * i + 2]), a);
            self.pairs::<6, 7, R, C>(&mut sums, each(units, |units| &units[4 * i + 3]), a);
        }
        sums
    }
}

impl Smlal {
    /// Multiplies a unit by the inputs `FIRST` and `SECOND` of each row.
    #[inline(always)]
    fn pairs<const FIRST: i32, const SECOND: i32, const R: usize, const C: usize>(
        self,
        sums: &mut [[Sums; C]; R],
        units: [&Unit; C],
        a: [int16x8_t; R],
    ) {
        let w = each(units, |unit| lanes!(widen(unit)));
        for r in 0..R {
            for c in 0..C {
                for i in 0..2 {
                    let (first, second) = (w[c][i], w[c][2 + i]);
                    let [low, high] = &mut sums[r][c].as_chunks_mut().0[i];
                    lanes!({
                        *low = vmlal_laneq_s16::<FIRST>(*low, vget_low_s16(first), a[r]);
                        *high = vmlal_high_laneq_s16::<FIRST>(*high, first, a[r]);
                        *low = vmlal_laneq_s16::<SECOND>(*low, vget_low_s16(second), a[r]);
                        *high = vmlal_high_laneq_s16::<SECOND>(*high, second, a[r]);
                    });
                }
            }
        }
    }
}

/// The first weights of a unit's columns, in eights, then the second ones.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen(unit: &Unit) -> [int16x8_t; 4] {
    // SAFETY: the reference is to 32 bytes, the size of the load.
    let int8x16x2_t(first, second) = unsafe { vld2q_s8(unit.as_ptr()) };
    [
        vmovl_s8(vget_low_s8(first)),
        vmovl_high_s8(first),
        vmovl_s8(vget_low_s8(second)),
        vmovl_high_s8(second),
    ]
}
