//! Integer products by `sdot`, which sums four products of int8 in each lane.
//!
//! An input `a` is cut into two bytes, `a = 256 h + l`, and its products are those of both: exact, and still twice as
//! many an instruction as with int16. `h` is signed, and `l` is not. The instruction multiplies signed bytes, so an input is
//! stored as `h` and `l - 128`, and 128 times the sum of the weights, which is the same for all rows, is added.
//!
//! ```text
//! sum(w a) = 256 sum(w h) + sum(w (l - 128)) + 128 sum(w)
//! ```
//! The high bytes of all inputs are multiplied first, then the sums are shifted and the low bytes go into the same
//! registers.

use super::{Products, Sums, load_bytes, narrow, zeros};
use crate::{LANES, Pair, Unit, each};
use core::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

/// Proof that the CPU has NEON and the dot product of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sdot(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw NEON and `dotprod`, the features of every intrinsic used with this
        // macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "neon,dotprod")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Products for Sdot {
    const NAME: &'static str = "neon-dot";
    /// 20 registers of sums, 4 of what is added to them, 5 of rows and up to 3 of weights.
    const INT_SUMS: usize = 5;
    const STEP: usize = 4;

    fn detect() -> Option<Self> {
        let all = std::arch::is_aarch64_feature_detected!("neon")
            && std::arch::is_aarch64_feature_detected!("dotprod");
        all.then_some(Sdot(()))
    }
    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        lanes!(with_features(f))
    }
    /// Sixteen high bytes, then sixteen low ones.
    #[inline(always)]
    fn store_inputs(self, v: Sums, to: &mut [i16; LANES]) {
        lanes!({
            let [a, b] = each(narrow(v), |half| vreinterpretq_s8_s16(half));
            let low = veorq_s8(vuzp1q_s8(a, b), vdupq_n_s8(-128));
            vst1q_s16(to.as_mut_ptr(), vreinterpretq_s16_s8(vuzp2q_s8(a, b)));
            vst1q_s16(to.as_mut_ptr().add(8), vreinterpretq_s16_s8(low));
        })
    }
    #[inline(always)]
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES] {
        let byte = |i: usize| stored[i / 2].to_le_bytes()[i % 2];
        from_fn(|i| i16::from_le_bytes([byte(LANES + i) ^ 0x80, byte(i)]))
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

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot<const R: usize, const C: usize>(units: [&[Unit]; C], rows: [&[Pair]; R]) -> [[Sums; C]; R] {
    let mut of_weights = [zeros(); C];
    for c in 0..C {
        for unit in units[c].as_chunks::<2>().0 {
            for i in 0..4 {
                of_weights[c][i] = sdot::<0>(of_weights[c][i], load_bytes(unit, i), vdupq_n_s8(1));
            }
        }
    }
    let mut sums = [[zeros(); C]; R];
    bytes::<0, R, C>(&mut sums, units, rows);
    for r in 0..R {
        for c in 0..C {
            sums[r][c] = from_fn(|i| vshlq_n_s32::<8>(sums[r][c][i]));
        }
    }
    bytes::<1, R, C>(&mut sums, units, rows);
    for c in 0..C {
        let added: Sums = from_fn(|i| vshlq_n_s32::<7>(of_weights[c][i]));
        for r in 0..R {
            sums[r][c] = from_fn(|i| vaddq_s32(sums[r][c][i], added[i]));
        }
    }
    sums
}

/// Adds the products with the inputs' high bytes (`BYTE` 0) or low bytes (1): sixteen inputs of each row at a time, which
/// are one register, four of them by element.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn bytes<const BYTE: usize, const R: usize, const C: usize>(
    sums: &mut [[Sums; C]; R],
    units: [&[Unit]; C],
    rows: [&[Pair]; R],
) {
    for i in (0..units[0].len()).step_by(8) {
        let mut a = [vdupq_n_s8(0); R];
        for r in 0..R {
            a[r] = load_bytes(&rows[r][i..i + 8], BYTE);
        }
        let units = each(units, |units| &units[i..i + 8]);
        fours::<0, R, C>(sums, each(units, |units| &units[0..2]), a);
        fours::<1, R, C>(sums, each(units, |units| &units[2..4]), a);
        fours::<2, R, C>(sums, each(units, |units| &units[4..6]), a);
        fours::<3, R, C>(sums, each(units, |units| &units[6..8]), a);
    }
}

/// Adds the products of two units, which hold four weights of each column, with the inputs 4 `FOUR` to 4 `FOUR` + 3.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn fours<const FOUR: usize, const R: usize, const C: usize>(
    sums: &mut [[Sums; C]; R],
    units: [&[Unit]; C],
    a: [int8x16_t; R],
) {
    for c in 0..C {
        for i in 0..4 {
            let w = load_bytes(units[c], i);
            for r in 0..R {
                sums[r][c][i] = sdot::<FOUR>(sums[r][c][i], w, a[r]);
            }
        }
    }
}

/// `acc + w.0 * a.0 + ... + w.3 * a.3` in each lane, where `a` are the bytes 4 `FOUR` to 4 `FOUR` + 3. This is assembly,
/// because the intrinsic is not stable (Rust 1.96).
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot<const FOUR: usize>(acc: int32x4_t, w: int8x16_t, a: int8x16_t) -> int32x4_t {
    let mut sums = acc;
    // SAFETY: the function enables the instruction's feature, and all operands are registers.
    unsafe {
        core::arch::asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {a:v}.4b[{four}]",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            a = in(vreg) a,
            four = const FOUR,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}
