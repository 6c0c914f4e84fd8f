//! NEON: four 128-bit registers make sixteen lanes.
//!
//! The variants differ in how they multiply integers, in a file each. The thirty-two registers hold a 6 x 16 tile of
//! floats: 24 accumulators, 4 weights and the rows, whose elements multiply without a broadcast.

#![allow(unsafe_code)]

mod order;
mod sdot;
mod smlal;
mod smmla;

use self::order::{join_pairs, transpose_bytes, transpose_floats, zip_2, zip_4, zip_8};
use super::{Isa, LANES, PANEL, Pair, Unit};
use core::arch::aarch64::*;
use std::array::from_fn;
use std::ops::Range;

/// NEON, with the integer products of `P`.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<P>(P);

/// NEON as every arm64 CPU has it.
pub type Neon = Lanes<smlal::Smlal>;
/// NEON with the dot product of bytes.
pub type NeonDot = Lanes<sdot::Sdot>;
/// NEON with the matrix products of bytes.
pub type NeonI8mm = Lanes<smmla::Smmla>;

/// Sixteen int32 lanes.
type Sums = [int32x4_t; 4];

/// How a variant multiplies integers. A value is proof that the CPU has the instructions; the names are those of
/// [`Isa`].
pub trait Products: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const INT_SUMS: usize;
    const STEP: usize;
    fn detect() -> Option<Self>;
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;
    fn store_inputs(self, v: Sums, to: &mut [i16; LANES]);
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES];
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Sums; C]; R];
}

/// Runs intrinsics.
macro_rules! lanes {
    ($body:expr) => {
        // SAFETY: `self` exists only where its products' `detect` saw NEON, the feature of every intrinsic used with
        // this macro; the memory operands come from references to arrays of the accessed size.
        unsafe { $body }
    };
}

/// Runs `$body` with `$half` set to each half, 0 and 1, of a block that the units `$of` are of. This is no loop,
/// because the compiler would leave it and copy the sums in each round, which assembly keeps in registers of its own.
macro_rules! for_each_half {
    ($of:expr, |$half:ident| $body:expr) => {{
        if $of.contains(&0) {
            let $half = 0;
            $body
        }
        if $of.contains(&8) {
            let $half = 1;
            $body
        }
    }};
}
use for_each_half;

impl<P: Products> Isa for Lanes<P> {
    const NAME: &'static str = P::NAME;
    const INT_SUMS: usize = P::INT_SUMS;
    const FLOAT_SUMS: usize = 6;
    const STEP: usize = P::STEP;
    const WIDE: bool = false;
    type F32 = [float32x4_t; 4];
    type I32 = Sums;
    /// The first weights of eight columns and of eight more, then the second ones.
    type Pairs = [int16x8_t; 4];

    fn detect() -> Option<Self> {
        P::detect().map(Lanes)
    }

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        self.0.vectorize(f)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        lanes!([vdupq_n_f32(x); 4])
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        lanes!(from_fn(|i| vld1q_f32(from.as_ptr().add(4 * i))))
    }
    #[inline(always)]
    fn store(self, v: Self::F32, to: &mut [f32; LANES]) {
        lanes!((0..4).for_each(|i| vst1q_f32(to.as_mut_ptr().add(4 * i), v[i])))
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vaddq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vsubq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vmulq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vdivq_f32(a[i], b[i])))
    }
    #[inline(always)]
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vfmaq_f32(c[i], a[i], b[i])))
    }
    // `fmax` and `fmin` would lose a NaN in `a` otherwise than other CPUs, so these compare and select.
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vbslq_f32(vcgtq_f32(a[i], b[i]), a[i], b[i])))
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| vbslq_f32(vcltq_f32(a[i], b[i]), a[i], b[i])))
    }
    #[inline(always)]
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32 {
        lanes!(from_fn(|i| {
            let bits = vreinterpretq_u32_f32(vabsq_f32(x[i]));
            vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(acc[i]), bits))
        }))
    }
    #[inline(always)]
    fn round(self, v: Self::F32) -> Self::I32 {
        lanes!(from_fn(|i| vcvtnq_s32_f32(v[i])))
    }
    #[inline(always)]
    fn to_f32(self, v: Self::I32) -> Self::F32 {
        lanes!(from_fn(|i| vcvtq_f32_s32(v[i])))
    }
    #[inline(always)]
    fn exp2(self, n: Self::I32) -> Self::F32 {
        lanes!(from_fn(|i| {
            let biased = vaddq_s32(n[i], vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(biased))
        }))
    }
    #[inline(always)]
    fn zero(self) -> Self::I32 {
        lanes!([vdupq_n_s32(0); 4])
    }
    #[inline(always)]
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]) {
        self.0.store_inputs(v, to)
    }
    #[inline(always)]
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES] {
        self.0.inputs(stored)
    }
    #[inline(always)]
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]) {
        lanes!(transpose_floats(rows, to))
    }
    #[inline(always)]
    fn widen(self, unit: &Unit) -> Self::Pairs {
        lanes!(smlal::widen(unit))
    }
    #[inline(always)]
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: [i16; 2]) -> Self::I32 {
        lanes!({
            let mut acc = acc;
            for (a, w) in a.into_iter().zip(w.as_chunks::<2>().0) {
                for i in 0..2 {
                    acc[2 * i] = vmlal_n_s16(acc[2 * i], vget_low_s16(w[i]), a);
                    acc[2 * i + 1] = vmlal_high_n_s16(acc[2 * i + 1], w[i], a);
                }
            }
            acc
        })
    }
    #[inline(always)]
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Self::I32; C]; R] {
        self.0.dot(units, rows, of)
    }
    #[inline(always)]
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]) {
        lanes!(match P::STEP {
            2 => transpose_bytes::<2, 8>(columns, units, |a, b| zip_2(a, b)),
            4 => transpose_bytes::<4, 4>(columns, units, |a, b| zip_4(a, b)),
            _ => transpose_bytes::<8, 2>(columns, units, |a, b| zip_8(a, b)),
        })
    }
    #[inline(always)]
    fn arrange(self, pairs: &[Unit; 16], units: &mut [Unit; 16]) {
        lanes!(match P::STEP {
            2 => *units = *pairs,
            4 => join_pairs::<2>(pairs, units),
            _ => join_pairs::<4>(pairs, units),
        })
    }
    #[inline(always)]
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32 {
        lanes!(from_fn(|i| widen_halves(vld1_u16(from.as_ptr().add(4 * i)))))
    }
    #[inline(always)]
    fn prefetch<T>(self, at: &[T]) {
        // SAFETY: a prefetch may name any address.
        unsafe {
            core::arch::asm!(
                "prfm pldl1keep, [{at}]",
                at = in(reg) at.as_ptr(),
                options(readonly, nostack, preserves_flags),
            );
        }
    }
}

/// Four float16 as float32. This is assembly, because Rust's type for vectors of float16 is not stable (1.96).
#[inline]
#[target_feature(enable = "neon")]
fn widen_halves(halves: uint16x4_t) -> float32x4_t {
    let floats;
    // SAFETY: the function enables the instruction's feature, and both operands are registers.
    unsafe {
        core::arch::asm!(
            "fcvtl {floats:v}.4s, {halves:v}.4h",
            floats = out(vreg) floats,
            halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    floats
}

/// The `i`-th sixteen bytes of a block's units or of a row's inputs.
#[inline(always)]
fn load_bytes<T: AnyBytes>(from: &[T; 16], i: usize) -> int8x16_t {
    assert!(16 * (i + 1) <= size_of_val(from));
    // SAFETY: by the assertion the sixteen bytes lie within the array, and integers have no padding; NEON is there,
    // since only methods of a variant call this.
    unsafe { vld1q_s8(from.as_ptr().cast::<i8>().add(16 * i)) }
}

/// Arrays of integers, which any bytes are.
trait AnyBytes {}
impl AnyBytes for Unit {}
impl AnyBytes for Pair {}

/// The lanes as int16, in whose range they must be.
#[inline]
#[target_feature(enable = "neon")]
fn narrow(v: Sums) -> [int16x8_t; 2] {
    [vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1])), vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]))]
}
