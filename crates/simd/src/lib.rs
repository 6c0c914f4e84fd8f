//! Instruction sets: vectors of sixteen lanes, implemented once per instruction set.
//!
//! A value of a type that implements [`Isa`] proves that the CPU has the instructions: only `detect` creates one.
//! Kernels are generic over it and see vectors of sixteen lanes whatever the width of the hardware, so every lane goes
//! through the same operations in the same order and all instruction sets give the same bits.
//!
//! Invariant: no operation here combines lanes, except `sum` and `max_abs_lane`, which reduce them in a fixed tree.
//! `mul_add` rounds once on every CPU. WebAssembly alone has an instruction set that rounds twice ([`Isa::FUSED`]).
//!
//! The build repacks weights with [`Scalar`]. Intrinsics are used only in this crate, one
//! family of CPUs in each file or folder.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, AvxVnni};
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub use neon::{Neon, NeonDot, NeonI8mm};
pub use scalar::Scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::{Wasm, WasmFused};

use std::ops::Range;

/// Calls `$m!` with each CPU family's instruction set, slowest first, and the given arguments. This is the only list of
/// instruction sets: a new one belongs here, and other crates name none of them but [`Scalar`].
#[doc(hidden)]
#[macro_export]
macro_rules! with_vector_isas {
    ($m:ident!($($args:tt)*)) => {
        #[cfg(target_arch = "x86_64")]
        {
            $m!($crate::Avx2, $($args)*);
            $m!($crate::AvxVnni, $($args)*);
            $m!($crate::Avx512, $($args)*);
        }
        #[cfg(target_arch = "aarch64")]
        {
            $m!($crate::Neon, $($args)*);
            $m!($crate::NeonDot, $($args)*);
            $m!($crate::NeonI8mm, $($args)*);
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        {
            $m!($crate::WasmFused, $($args)*);
            $m!($crate::Wasm, $($args)*);
        }
    };
}

/// As `with_vector_isas`, but with [`Scalar`] before all others.
#[doc(hidden)]
#[macro_export]
macro_rules! with_every_isa {
    ($m:ident!($($args:tt)*)) => {
        $m!($crate::Scalar, $($args)*);
        $crate::with_vector_isas!($m!($($args)*));
    };
}

/// The names of the instruction sets that this CPU has, fastest first.
pub fn available() -> Vec<&'static str> {
    let mut names = Vec::new();
    macro_rules! name_of {
        ($isa:ty,) => {
            names.extend(<$isa>::detect().map(|_| <$isa>::NAME));
        };
    }
    with_every_isa!(name_of!());
    names.reverse();
    names
}

/// The name of the instruction set to use where none is asked for: the environment's `MONOMORPH_ISA`, which need not
/// be one that this CPU has, else the fastest.
pub fn preferred() -> String {
    let from_environment = std::env::var("MONOMORPH_ISA").ok().filter(|name| !name.is_empty());
    from_environment.unwrap_or_else(|| available()[0].to_owned())
}

/// Runs a test body once for each instruction set of this CPU that gives the same bits as all others, and prints their
/// names.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_isa {
    (|$isa:ident| $body:expr) => {{
        use $crate::Isa as _;
        let mut ran = Vec::new();
        macro_rules! run_on {
            ($t:ty,) => {
                if let Some($isa) = <$t>::detect().filter(|_| <$t as $crate::Isa>::FUSED) {
                    ran.push(<$t as $crate::Isa>::NAME);
                    $body
                }
            };
        }
        $crate::with_every_isa!(run_on!());
        println!("instruction sets tested: {}", ran.join(", "));
    }};
}

/// Number of lanes in a vector.
pub const LANES: usize = 16;

/// Number of columns in a weight panel: one per lane of an accumulator.
pub const PANEL: usize = LANES;

/// Two int8 weights of each column of a panel. Along `k`, [`Isa::STEP`] weights of a column lie together, then those of
/// the next column: with a step of 2, a unit holds the weights at `(k, k + 1)` of each of the 16 columns.
pub type Unit = [i8; 2 * PANEL];

/// Two quantised inputs of a row. Sixteen inputs make eight pairs, in a form that the instruction set chooses; without
/// a choice they are int16, in order.
pub type Pair = [i16; 2];

/// Where the weight at `k` of column `column` lies, in bytes from the start of a panel's units, if `step` weights of a
/// column lie together.
pub const fn place(step: usize, k: usize, column: usize) -> usize {
    k / step * step * PANEL + column * step + k % step
}

/// A CPU family's vector instructions, and the tiles that suit its registers. The shapes of attention's tiles are not
/// constants here: they lie beside its kernel (`kernels/attention.rs` of the encoder), which chooses among them by
/// [`WIDE`](Isa::WIDE).
///
/// Every method but `vectorize` must be called inside the closure given to `vectorize`. Elsewhere it gives the same
/// result, but as a slow function call.
pub trait Isa: Copy + Send + Sync + 'static {
    /// The name that `MONOMORPH_ISA` and `inspect` use.
    const NAME: &'static str;
    /// Number of sums in an int8 tile, at most 16: as many as keep their integer accumulators in registers. Where the
    /// float accumulators do not fit beside them (AVX2), those are spilled once per group.
    const INT_SUMS: usize;
    /// Number of sums in a float tile, at most 16: as many as leave enough registers for the operands.
    const FLOAT_SUMS: usize;
    /// How many weights of a column lie together in the units of a panel: 2, 4 or 8.
    const STEP: usize = 2;
    /// Whether [`mul_add`](Isa::mul_add) rounds once. Otherwise it rounds the product and then the sum, and vectors have
    /// other bits than those of all other instruction sets.
    const FUSED: bool = true;
    /// Whether tiles of two panels are faster than taller tiles of one. They are where a broadcast costs a load.
    const WIDE: bool;
    /// Sixteen float32 lanes.
    type F32: Copy;
    /// Sixteen int32 lanes.
    type I32: Copy;
    /// Sixteen lanes, each holding two int16 weights `(k, k + 1)` of one column.
    type Pairs: Copy;

    /// A token, if this CPU has the instructions.
    fn detect() -> Option<Self>;
    /// Compiles `f`, and all it inlines, with this instruction set enabled.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;

    /// `x` in all lanes.
    fn splat(self, x: f32) -> Self::F32;
    /// Reads sixteen floats.
    fn load(self, from: &[f32; LANES]) -> Self::F32;
    /// Writes sixteen floats.
    fn store(self, v: Self::F32, to: &mut [f32; LANES]);
    /// `a + b`
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a - b`
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b`
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a / b`
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once if [`FUSED`](Isa::FUSED).
    fn mul_add(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// `a` if `a > b`, else `b`; a NaN in `b` is therefore kept.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a` if `a < b`, else `b`; a NaN in `b` is therefore kept.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The larger of `acc`, which must not be negative, and `|x|`. NaN counts as larger than everything, so it is never
    /// lost.
    fn max_abs(self, acc: Self::F32, x: Self::F32) -> Self::F32;
    /// Rounds to the nearest integer, ties to even.
    fn round(self, v: Self::F32) -> Self::I32;
    /// Converts to float, rounding to nearest even.
    fn to_f32(self, v: Self::I32) -> Self::F32;
    /// `2^n` for `n` in -126..=127, zero for -127.
    fn exp2(self, n: Self::I32) -> Self::F32;
    /// Zero in all lanes.
    fn zero(self) -> Self::I32;
    /// Writes sixteen quantised inputs in the form that [`dot`](Isa::dot) reads; their values must be in int16's range.
    fn store_inputs(self, v: Self::I32, to: &mut [i16; LANES]);
    /// Sixteen inputs that [`store_inputs`](Isa::store_inputs) wrote.
    #[inline(always)]
    fn inputs(self, stored: &[i16; LANES]) -> [i16; LANES] {
        *stored
    }
    /// Transposes a 16 x 16 matrix: element `k` of row `i` becomes element `i` of row `k`.
    fn transpose(self, rows: [&[f32; LANES]; LANES], to: &mut [[f32; LANES]; LANES]);
    /// Widens a panel unit to int16 pairs.
    fn widen(self, unit: &Unit) -> Self::Pairs;
    /// `acc + w.0 * a[0] + w.1 * a[1]` in each lane, in int32.
    fn dot_pairs(self, acc: Self::I32, w: Self::Pairs, a: [i16; 2]) -> Self::I32;
    /// Transposes int8 weights, 16 columns by 32 inputs, into the units of a panel, with [`STEP`](Isa::STEP) weights of
    /// a column together.
    fn transpose_weights(self, columns: [&[i8; 32]; PANEL], units: &mut [Unit; 16]);
    /// Copies the units of a panel with two weights of a column together so that [`STEP`](Isa::STEP) are.
    #[inline(always)]
    fn arrange(self, pairs: &[Unit; 16], units: &mut [Unit; 16]) {
        let (from, to) = (pairs.as_flattened(), units.as_flattened_mut());
        for column in 0..PANEL {
            for k in 0..32 {
                to[place(Self::STEP, k, column)] = from[place(2, k, column)];
            }
        }
    }
    /// Converts sixteen float16, given as their bits, to float32.
    fn widen_f16(self, from: [u16; PANEL]) -> Self::F32;
    /// Prefetches the cache line at the start of `at`, where the instruction set can.
    fn prefetch<T>(self, at: &[T]);

    /// Multiplies blocks of `R` rows by those of `C` panels, over the inputs of the units `of`: all, the first half or
    /// the last half. There are at most [`INT_SUMS`](Isa::INT_SUMS) rows. The sums are exact; they must be in the range
    /// of int32.
    #[inline(always)]
    fn dot<const R: usize, const C: usize>(
        self,
        units: [&[Unit; 16]; C],
        rows: [&[Pair; 16]; R],
        of: Range<usize>,
    ) -> [[Self::I32; C]; R] {
        let mut sums = [[self.zero(); C]; R];
        for i in of {
            let w = each(units, |units| self.widen(&units[i]));
            for r in 0..R {
                for c in 0..C {
                    sums[r][c] = self.dot_pairs(sums[r][c], w[c], rows[r][i]);
                }
            }
        }
        sums
    }

    /// Sum of the lanes, in a fixed tree of distances 8, 4, 2, 1.
    #[inline(always)]
    fn sum(self, v: Self::F32) -> f32 {
        fold(self, v, |a, b| a + b)
    }
    /// The largest lane of a vector made by `max_abs`, NaN included.
    #[inline(always)]
    fn max_abs_lane(self, v: Self::F32) -> f32 {
        fold(self, v, |a, b| f32::from_bits(a.to_bits().max(b.to_bits())))
    }
}

/// `array::map`, but always inlined: in the innermost loops the standard library's stays a function call.
#[inline(always)]
pub fn each<T: Copy, U: Copy, const N: usize>(from: [T; N], f: impl Fn(T) -> U) -> [U; N] {
    const { assert!(N > 0) };
    let mut to = [f(from[0]); N];
    for i in 1..N {
        to[i] = f(from[i]);
    }
    to
}

/// Folds lanes pairwise at distances 8, 4, 2 and 1.
#[inline(always)]
fn fold<I: Isa>(isa: I, v: I::F32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    isa.store(v, &mut lanes);
    for distance in [8, 4, 2, 1] {
        for i in 0..distance {
            lanes[i] = f(lanes[i], lanes[i + distance]);
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests;
