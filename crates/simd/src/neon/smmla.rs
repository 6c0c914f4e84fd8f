//! Integer products by `smmla` and `usmmla`, which multiply two rows by two columns over eight int8 inputs.
//!
//! As with [`sdot`](super::sdot), an input is cut into two bytes, `a = 256 h + l`, and the sums of the high bytes are shifted
//! before the low ones are added. `usmmla` takes unsigned low bytes as they are.

use super::{Products, Sums, load_bytes, narrow, zeros};
use crate::{LANES, Pair, Unit, each};
use core::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

/// Proof that the CPU has NEON and the matrix products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Smmla(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw NEON and `i8mm`, the features of every intrinsic used with this macro;
        // the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "neon,i8mm")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Products for Smmla {
    const NAME: &'static str = "neon-i8mm";
    /// 24 registers of sums, 3 of rows and up to 5 of weights.
    const INT_SUMS: usize = 6;
    const STEP: usize = 8;

    /// Apple's cores have the instruction, but run it more slowly than `sdot`: by 10 to 25 % on an M3 Max, as measured
    /// elsewhere.
    fn detect() -> Option<Self> {
        let all = !cfg!(target_vendor = "apple")
            && std::arch::is_aarch64_feature_detected!("neon")
            && std::arch::is_aarch64_feature_detected!("i8mm");
        all.then_some(Smmla(()))
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
            vst1q_s16(to.as_mut_ptr(), vreinterpretq_s16_s8(vuzp2q_s8(a, b)));
            vst1q_s16(to.as_mut_ptr().add(8), vreinterpretq_s16_s8(vuzp1q_s8(a, b)));
        })
    }
    #[inline(always)]
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES] {
        let byte = |i: usize| stored[i / 2].to_le_bytes()[i % 2];
        from_fn(|i| i16::from_le_bytes([byte(LANES + i), byte(i)]))
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

/// The sums of two rows and sixteen columns, in squares of two by two.
type Squares = [int32x4_t; 8];

/// The last of an odd number of rows makes a pair with itself. Only the first half of the arrays of `R` pairs is used.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn dot<const R: usize, const C: usize>(units: [&[Unit]; C], rows: [&[Pair]; R]) -> [[Sums; C]; R] {
    let mut squares = [[[vdupq_n_s32(0); 8]; C]; R];
    bytes::<0, R, C>(&mut squares, units, rows);
    for p in 0..R.div_ceil(2) {
        for c in 0..C {
            squares[p][c] = from_fn(|i| vshlq_n_s32::<8>(squares[p][c][i]));
        }
    }
    bytes::<1, R, C>(&mut squares, units, rows);
    let mut sums = [[zeros(); C]; R];
    for r in 0..R {
        for c in 0..C {
            let squares = each(squares[r / 2][c], |square| vreinterpretq_s64_s32(square));
            sums[r][c] = from_fn(|i| {
                let (left, right) = (squares[2 * i], squares[2 * i + 1]);
                vreinterpretq_s32_s64(match r % 2 {
                    0 => vzip1q_s64(left, right),
                    _ => vzip2q_s64(left, right),
                })
            });
        }
    }
    sums
}

/// Adds the products with the inputs' high bytes (`BYTE` 0) or low bytes (1), sixteen inputs of each row at a time.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn bytes<const BYTE: usize, const R: usize, const C: usize>(
    squares: &mut [[Squares; C]; R],
    units: [&[Unit]; C],
    rows: [&[Pair]; R],
) {
    for i in (0..units[0].len()).step_by(8) {
        // Eight inputs of two rows, then the next eight.
        let mut a = [[vdupq_n_s8(0); 2]; R];
        for p in 0..R.div_ceil(2) {
            let of_row =
                |r: usize| vreinterpretq_s64_s8(load_bytes(&rows[r.min(R - 1)][i..i + 8], BYTE));
            let (even, odd) = (of_row(2 * p), of_row(2 * p + 1));
            a[p] =
                each([vzip1q_s64(even, odd), vzip2q_s64(even, odd)], |x| vreinterpretq_s8_s64(x));
        }
        for c in 0..C {
            for eight in 0..2 {
                let units = &units[c][i + 4 * eight..i + 4 * eight + 4];
                for j in 0..8 {
                    let w = load_bytes(units, j);
                    for p in 0..R.div_ceil(2) {
                        let (sums, a) = (squares[p][c][j], a[p][eight]);
                        squares[p][c][j] = match BYTE {
                            0 => smmla(sums, a, w),
                            _ => usmmla(sums, a, w),
                        };
                    }
                }
            }
        }
    }
}

/// Defines a matrix product of two rows by two columns over eight inputs, added to `acc`. These are assembly, because the
/// intrinsics are not stable (Rust 1.96).
macro_rules! matrix_product {
    ($(#[$doc:meta])* $name:ident, $instruction:literal) => {
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "neon,i8mm")]
        fn $name(acc: int32x4_t, a: int8x16_t, w: int8x16_t) -> int32x4_t {
            let mut sums = acc;
            // SAFETY: the function enables the instruction's feature, and all operands are registers.
            unsafe {
                core::arch::asm!(
                    concat!($instruction, " {sums:v}.4s, {a:v}.16b, {w:v}.16b"),
                    sums = inout(vreg) sums,
                    a = in(vreg) a,
                    w = in(vreg) w,
                    options(pure, nomem, nostack, preserves_flags),
                );
            }
            sums
        }
    };
}
matrix_product! {
    /// The bytes of both operands are signed.
    smmla, "smmla"
}
matrix_product! {
    /// The bytes of `a` are unsigned.
    usmmla, "usmmla"
}
