//! Integer products by `sdot`, which sums four products of int8 in each lane.
//!
//! An input `a` is cut into two bytes, `a = 256 h + l`, and its products are those of both: exact, and still twice as
//! many an instruction as with int16. `h` is signed, and `l` is not. The instruction multiplies signed bytes, so an
//! input is stored as `h` and `l - 128`, and 128 times the sum of the weights, which is the same for all rows, is
//! added.
//!
//! ```text
//! sum(w a) = 256 sum(w h) + sum(w (l - 128)) + 128 sum(w)
//! ```
//! The high bytes of all inputs are multiplied first, then the sums are shifted and the low bytes go into the same
//! registers.

use super::{Products, Sums, for_each_half, load_bytes, narrow};
use crate::{LANES, Pair, Unit, each};
use core::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

/// The text of an instruction that adds to the sums `$sums` the products of the weights `$w` with four inputs of the
/// row `$row`. Assembly is used because the intrinsic is not stable (Rust 1.96).
macro_rules! sdot {
    ($sums:ident $w:ident $row:ident) => {
        concat!(
            "sdot {",
            stringify!($sums),
            ":v}.4s, {",
            stringify!($w),
            ":v}.16b, {",
            stringify!($row),
            ":v}.4b[{four}]"
        )
    };
}

/// Proof that the CPU has NEON and the dot product of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sdot(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw NEON and `dotprod`, the features of every intrinsic used with
        // this macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "neon,dotprod")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Products for Sdot {
    const NAME: &'static str = "neon-dot";
    /// 20 registers of sums, 5 of rows and 4 of weights.
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
        let mut sums = lanes!([[[vdupq_n_s32(0); 4]; C]; R]);
        self.bytes::<0, R, C>(&mut sums, units, rows, of.clone());
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = each(sums[r][c], |sums| lanes!(vshlq_n_s32::<8>(sums)));
            }
        }
        self.bytes::<1, R, C>(&mut sums, units, rows, of.clone());
        for c in 0..C {
            let added = self.sum_of_weights(units[c], of.clone());
            for r in 0..R {
                for i in 0..4 {
                    sums[r][c][i] = lanes!(vaddq_s32(sums[r][c][i], vshlq_n_s32::<7>(added[i])));
                }
            }
        }
        sums
    }
}

impl Sdot {
    /// Adds the products with the inputs' high bytes (`BYTE` 0) or low bytes (1): sixteen inputs of each row at a time,
    /// which are one register, four of them by element.
    #[inline(always)]
    fn bytes<const BYTE: usize, const R: usize, const C: usize>(
        self,
        sums: &mut [[Sums; C]; R],
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) {
        for_each_half!(of, |half| {
            let a = each(rows, |row| load_bytes(row, 2 * half + BYTE));
            self.fours::<0, R, C>(sums, units, 8 * half, a);
            self.fours::<1, R, C>(sums, units, 8 * half + 2, a);
            self.fours::<2, R, C>(sums, units, 8 * half + 4, a);
            self.fours::<3, R, C>(sums, units, 8 * half + 6, a);
        });
    }

    /// Adds the products of four weights of each column, which are two units from the unit `first` on, with the inputs
    /// 4 `FOUR` to 4 `FOUR` + 3. This is one piece of assembly: between smaller ones the compiler would load weights
    /// early and put sums on the stack.
    #[inline(always)]
    fn fours<const FOUR: usize, const R: usize, const C: usize>(
        self,
        sums: &mut [[Sums; C]; R],
        units: [&[Unit; 16]; C],
        first: usize,
        a: [int8x16_t; R],
    ) {
        for c in 0..C {
            let units: &[Unit] = &units[c][first..first + 2];
            macro_rules! rows {
                ($($r:literal $row:ident ($s0:ident $s1:ident $s2:ident $s3:ident))+) => {{
                    $(let [mut $s0, mut $s1, mut $s2, mut $s3] = sums[$r][c];)+
                    // SAFETY: `self` is proof of the instructions, and the 64 bytes that are read are those of two
                    // units.
                    unsafe {
                        core::arch::asm!(
                            // Callers that are not compiled with the feature must assemble, too.
                            ".arch_extension dotprod",
                            "ldp {w0:q}, {w1:q}, [{units}]",
                            "ldp {w2:q}, {w3:q}, [{units}, #32]",
                            $(sdot!($s0 w0 $row),)+
                            $(sdot!($s1 w1 $row),)+
                            $(sdot!($s2 w2 $row),)+
                            $(sdot!($s3 w3 $row),)+
                            units = in(reg) units.as_ptr(),
                            four = const FOUR,
                            w0 = out(vreg) _,
                            w1 = out(vreg) _,
                            w2 = out(vreg) _,
                            w3 = out(vreg) _,
                            $($row = in(vreg) a[$r],
                            $s0 = inout(vreg) $s0,
                            $s1 = inout(vreg) $s1,
                            $s2 = inout(vreg) $s2,
                            $s3 = inout(vreg) $s3,)+
                            options(pure, readonly, nostack, preserves_flags),
                        );
                    }
                    $(sums[$r][c] = [$s0, $s1, $s2, $s3];)+
                }};
            }
            match R {
                1 => rows!(0 a0 (b0 c0 d0 e0)),
                2 => rows!(0 a0 (b0 c0 d0 e0) 1 a1 (b1 c1 d1 e1)),
                3 => rows!(0 a0 (b0 c0 d0 e0) 1 a1 (b1 c1 d1 e1) 2 a2 (b2 c2 d2 e2)),
                4 => {
                    rows!(0 a0 (b0 c0 d0 e0) 1 a1 (b1 c1 d1 e1) 2 a2 (b2 c2 d2 e2) 3 a3 (b3 c3 d3 e3))
                }
                5 => {
                    rows!(0 a0 (b0 c0 d0 e0) 1 a1 (b1 c1 d1 e1) 2 a2 (b2 c2 d2 e2) 3 a3 (b3 c3 d3 e3)
                    4 a4 (b4 c4 d4 e4))
                }
                _ => unreachable!("tiles have at most five rows"),
            }
        }
    }

    /// The sum of each column's weights.
    #[inline(always)]
    fn sum_of_weights(self, units: &[Unit; 16], of: Range<usize>) -> Sums {
        let mut sums = lanes!([vdupq_n_s32(0); 4]);
        for four in of.start / 2..of.end / 2 {
            for i in 0..4 {
                let w = load_bytes(units, 4 * four + i);
                sums[i] = lanes!(add_four(sums[i], w));
            }
        }
        sums
    }
}

/// `acc + w.0 + w.1 + w.2 + w.3` in each lane.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_four(acc: int32x4_t, w: int8x16_t) -> int32x4_t {
    let mut sums = acc;
    // SAFETY: the function enables the instruction's feature, and all operands are registers.
    unsafe {
        core::arch::asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {ones:v}.16b",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            ones = in(vreg) vdupq_n_s8(1),
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}
