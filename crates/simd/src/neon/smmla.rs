//! Integer products by `smmla` and `usmmla`, which multiply two rows by two columns over eight int8 inputs.
//!
//! As with [`sdot`](super::sdot), an input is cut into two bytes, `a = 256 h + l`, and the sums of the high bytes are
//! shifted before the low ones are added. `usmmla` takes unsigned low bytes as they are.

use super::order::zip_8;
use super::{Products, Sums, for_each_half, load_bytes, narrow};
use crate::{LANES, Pair, Unit, each};
use core::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

/// The text of an instruction that adds to `$sums` the products of a pair of rows with two columns. The bytes of the
/// weights `$w` are signed, and with `usmmla` those of the rows are not.
macro_rules! product {
    ($op:literal $sums:ident $pair:ident $w:ident) => {
        concat!(
            $op,
            " {",
            stringify!($sums),
            ":v}.4s, {",
            stringify!($pair),
            ":v}.16b, {",
            stringify!($w),
            ":v}.16b"
        )
    };
}

/// Proof that the CPU has NEON and the matrix products of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Smmla(());

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where `detect` saw NEON and `i8mm`, the features of every intrinsic used with this
        // macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

#[target_feature(enable = "neon,i8mm")]
fn with_features<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Products for Smmla {
    const NAME: &'static str = "neon-i8mm";
    /// 24 registers of sums, 3 of rows and 4 of weights.
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
        // The last of an odd number of rows makes a pair with itself. Only the first half of the `R` pairs is used.
        let mut squares = lanes!([[[vdupq_n_s32(0); 8]; C]; R]);
        self.bytes::<0, R, C>(&mut squares, units, rows, of.clone());
        for p in 0..R.div_ceil(2) {
            for c in 0..C {
                squares[p][c] = each(squares[p][c], |square| lanes!(vshlq_n_s32::<8>(square)));
            }
        }
        self.bytes::<1, R, C>(&mut squares, units, rows, of);
        let mut sums = lanes!([[[vdupq_n_s32(0); 4]; C]; R]);
        for r in 0..R {
            for c in 0..C {
                for i in 0..4 {
                    let (left, right) = (squares[r / 2][c][2 * i], squares[r / 2][c][2 * i + 1]);
                    sums[r][c][i] = lanes!({
                        let (left, right) =
                            (vreinterpretq_s64_s32(left), vreinterpretq_s64_s32(right));
                        vreinterpretq_s32_s64(match r % 2 {
                            0 => vzip1q_s64(left, right),
                            _ => vzip2q_s64(left, right),
                        })
                    });
                }
            }
        }
        sums
    }
}

/// The sums of two rows and sixteen columns, in squares of two by two.
type Squares = [int32x4_t; 8];

impl Smmla {
    /// Adds the products with the inputs' high bytes (`BYTE` 0) or low bytes (1), sixteen inputs of each row at a time.
    #[inline(always)]
    fn bytes<const BYTE: usize, const R: usize, const C: usize>(
        self,
        squares: &mut [[Squares; C]; R],
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) {
        for_each_half!(of, |half| {
            // Eight inputs of two rows, then the next eight.
            let mut a = lanes!([[vdupq_n_s8(0); 2]; R]);
            for p in 0..R.div_ceil(2) {
                let even = load_bytes(rows[2 * p], 2 * half + BYTE);
                let odd = load_bytes(rows[(2 * p + 1).min(R - 1)], 2 * half + BYTE);
                a[p] = lanes!(zip_8(even, odd));
            }
            self.eight::<BYTE, R, C>(squares, units, 8 * half, each(a, |[first, _]| first));
            self.eight::<BYTE, R, C>(squares, units, 8 * half + 4, each(a, |[_, last]| last));
        });
    }

    /// Adds the products of eight weights of each column, which are four units from the unit `first` on. This is one
    /// piece of assembly: between smaller ones the compiler would load weights early and put sums on the stack. The
    /// intrinsics are not stable either (Rust 1.96).
    #[inline(always)]
    fn eight<const BYTE: usize, const R: usize, const C: usize>(
        self,
        squares: &mut [[Squares; C]; R],
        units: [&[Unit; 16]; C],
        first: usize,
        a: [int8x16_t; R],
    ) {
        for c in 0..C {
            let units: &[Unit] = &units[c][first..first + 4];
            macro_rules! pairs {
                ($op:literal $($p:literal $pair:ident
                    ($s0:ident $s1:ident $s2:ident $s3:ident $s4:ident $s5:ident $s6:ident $s7:ident))+) => {{
                    $(let [mut $s0, mut $s1, mut $s2, mut $s3, mut $s4, mut $s5, mut $s6, mut $s7] =
                        squares[$p][c];)+
                    // SAFETY: `self` is proof of the instructions, and the 128 bytes that are read are those of four
                    // units.
                    unsafe {
                        core::arch::asm!(
                            // Callers that are not compiled with the feature must assemble, too.
                            ".arch_extension i8mm",
                            "ldp {w0:q}, {w1:q}, [{units}]",
                            "ldp {w2:q}, {w3:q}, [{units}, #32]",
                            $(product!($op $s0 $pair w0),)+
                            $(product!($op $s1 $pair w1),)+
                            "ldp {w0:q}, {w1:q}, [{units}, #64]",
                            $(product!($op $s2 $pair w2),)+
                            $(product!($op $s3 $pair w3),)+
                            "ldp {w2:q}, {w3:q}, [{units}, #96]",
                            $(product!($op $s4 $pair w0),)+
                            $(product!($op $s5 $pair w1),)+
                            $(product!($op $s6 $pair w2),)+
                            $(product!($op $s7 $pair w3),)+
                            units = in(reg) units.as_ptr(),
                            w0 = out(vreg) _,
                            w1 = out(vreg) _,
                            w2 = out(vreg) _,
                            w3 = out(vreg) _,
                            $($pair = in(vreg) a[$p],
                            $s0 = inout(vreg) $s0,
                            $s1 = inout(vreg) $s1,
                            $s2 = inout(vreg) $s2,
                            $s3 = inout(vreg) $s3,
                            $s4 = inout(vreg) $s4,
                            $s5 = inout(vreg) $s5,
                            $s6 = inout(vreg) $s6,
                            $s7 = inout(vreg) $s7,)+
                            options(pure, readonly, nostack, preserves_flags),
                        );
                    }
                    $(squares[$p][c] = [$s0, $s1, $s2, $s3, $s4, $s5, $s6, $s7];)+
                }};
            }
            macro_rules! product_of_pairs {
                ($op:literal) => {
                    match R.div_ceil(2) {
                        1 => pairs!($op 0 a0 (b0 c0 d0 e0 f0 g0 h0 i0)),
                        2 => pairs!($op 0 a0 (b0 c0 d0 e0 f0 g0 h0 i0) 1 a1 (b1 c1 d1 e1 f1 g1 h1 i1)),
                        3 => pairs!($op 0 a0 (b0 c0 d0 e0 f0 g0 h0 i0) 1 a1 (b1 c1 d1 e1 f1 g1 h1 i1)
                            2 a2 (b2 c2 d2 e2 f2 g2 h2 i2)),
                        _ => unreachable!("tiles have at most six rows"),
                    }
                };
            }
            match BYTE {
                0 => product_of_pairs!("smmla"),
                _ => product_of_pairs!("usmmla"),
            }
        }
    }
}
