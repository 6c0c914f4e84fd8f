//! Integer products by `smlal`, which every arm64 CPU has: it multiplies four int16 of each operand.

use super::{Products, Sums, load_bytes, narrow, zeros};
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
        lanes!(dot(each(units, |units| &units[of.clone()]), each(rows, |row| &row[of.clone()])))
    }
}

/// Four units at a time, which eight inputs of each row multiply: one register, by element.
#[inline]
#[target_feature(enable = "neon")]
fn dot<const R: usize, const C: usize>(units: [&[Unit]; C], rows: [&[Pair]; R]) -> [[Sums; C]; R] {
    let mut sums = [[zeros(); C]; R];
    for i in (0..units[0].len()).step_by(4) {
        let units = each(units, |units| &units[i..i + 4]);
        let mut a = [vdupq_n_s16(0); R];
        for r in 0..R {
            a[r] = vreinterpretq_s16_s8(load_bytes(&rows[r][i..i + 4], 0));
        }
        pairs::<0, 1, R, C>(&mut sums, each(units, |units| widen(&units[0])), a);
        pairs::<2, 3, R, C>(&mut sums, each(units, |units| widen(&units[1])), a);
        pairs::<4, 5, R, C>(&mut sums, each(units, |units| widen(&units[2])), a);
        pairs::<6, 7, R, C>(&mut sums, each(units, |units| widen(&units[3])), a);
    }
    sums
}

/// Multiplies the widened weights of a unit by two inputs of each row.
#[inline]
#[target_feature(enable = "neon")]
fn pairs<const FIRST: i32, const SECOND: i32, const R: usize, const C: usize>(
    sums: &mut [[Sums; C]; R],
    w: [[int16x8_t; 4]; C],
    a: [int16x8_t; R],
) {
    for r in 0..R {
        for c in 0..C {
            for i in 0..2 {
                let (low, high) = (2 * i, 2 * i + 1);
                let (first, second) = (w[c][i], w[c][2 + i]);
                let sums = &mut sums[r][c];
                sums[low] = vmlal_laneq_s16::<FIRST>(sums[low], vget_low_s16(first), a[r]);
                sums[high] = vmlal_high_laneq_s16::<FIRST>(sums[high], first, a[r]);
                sums[low] = vmlal_laneq_s16::<SECOND>(sums[low], vget_low_s16(second), a[r]);
                sums[high] = vmlal_high_laneq_s16::<SECOND>(sums[high], second, a[r]);
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
