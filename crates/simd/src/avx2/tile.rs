//! Assembly that multiplies a tile of rows by a panel. The variants fill in how a product is added.

/// Assembly that multiplies the pairs of rows that lie `$at` bytes from their beginnings by the [`Unit`](crate::Unit)
/// that belongs to them: the first pairs with `mul`, which makes the sums, all others with the variant's addition.
macro_rules! pairs {
    ($op:ident ($($at:literal)+) $rows:tt) => { concat!($(pairs!(@pair $op $at $rows)),+) };
    (@pair $op:ident $at:literal ($($r:literal $row:ident $low:ident $high:ident),+)) => {
        concat!(
            "vpmovsxbw {w0}, xmmword ptr [{units} + 8 * ", $at, "]\n",
            "vpmovsxbw {w1}, xmmword ptr [{units} + 8 * ", $at, " + 16]\n",
            $(
                "vpbroadcastd {a}, dword ptr [{", stringify!($row), "} + ", $at, "]\n",
                pairs!(@$op $low $high),
            )+
        )
    };
    (@mul $low:ident $high:ident) => {
        concat!(
            "vpmaddwd {", stringify!($low), "}, {a}, {w0}\n",
            "vpmaddwd {", stringify!($high), "}, {a}, {w1}\n",
        )
    };
    (@vpmaddwd $low:ident $high:ident) => {
        concat!(
            "vpmaddwd {t}, {a}, {w0}\n",
            "vpmaddwd {a}, {a}, {w1}\n",
            "vpaddd {", stringify!($high), "}, {", stringify!($high), "}, {a}\n",
            "vpaddd {", stringify!($low), "}, {", stringify!($low), "}, {t}\n",
        )
    };
    // CPUs with AVX-512 and those without encode the instruction differently.
    (@vpdpwssd $low:ident $high:ident) => { pairs!(@vpdpwssd "{{vex}}" $low $high) };
    (@vpdpwssd_evex $low:ident $high:ident) => { pairs!(@vpdpwssd "{{evex}}" $low $high) };
    (@vpdpwssd $encoding:literal $low:ident $high:ident) => {
        concat!(
            $encoding, " vpdpwssd {", stringify!($low), "}, {a}, {w0}\n",
            $encoding, " vpdpwssd {", stringify!($high), "}, {a}, {w1}\n",
        )
    };
}
pub(super) use pairs;

/// The sums of eight or sixteen pairs, from the first that the pointers `$rows` and `$units` point to.
macro_rules! sums {
    ($add:ident ($($scratch:ident)+) $at:tt $rows:ident $units:ident
        ($($r:literal $row:ident $low:ident $high:ident),+)) => {{
        $(let ($low, $high): (__m256i, __m256i);)+
        core::arch::asm!(
            pairs!(mul (0) ($($r $row $low $high),+)),
            pairs!($add $at ($($r $row $low $high),+)),
            units = in(reg) $units,
            $($row = in(reg) $rows[$r],)+
            $($low = out(ymm_reg) $low, $high = out(ymm_reg) $high,)+
            $($scratch = out(ymm_reg) _,)+
            options(pure, readonly, nostack, preserves_flags),
        );
        [$([$low, $high]),+]
    }};
}
pub(super) use sums;

/// Defines the product of `$count` rows and a panel.
///
/// This is assembly because LLVM (in Rust 1.95) does not always fit the twelve sums of six rows, two weights, an input
/// and a product into the sixteen registers: it kept up to six of the sums on the stack, with a load and a store for
/// each addition. With them in registers, and all pairs of a block in one piece, products of four rows or more take 4 %
/// less time on Zen 4, which spilled least.
macro_rules! dot_rows {
    ($name:ident $count:literal $add:ident $scratch:tt $rows:tt) => {
        /// # Safety
        ///
        /// The CPU must have the instruction of the addition.
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn $name(
            rows: [&[Pair; 16]; $count],
            units: &[Unit; 16],
            of: Range<usize>,
        ) -> [[__m256i; 2]; $count] {
            let pairs = each(rows, |row| row[of.clone()].as_ptr());
            let units = units[of.clone()].as_ptr();
            // SAFETY: the function enables the features of all instructions but that of the addition, which the caller
            // vouches for. The pointers are to as many pairs of four bytes and units of 32 as the range has, and each
            // arm's loads end with them.
            unsafe {
                match of.len() {
                    8 => sums!($add $scratch (4 8 12 16 20 24 28) pairs units $rows),
                    16 => sums!($add $scratch (4 8 12 16 20 24 28 32 36 40 44 48 52 56 60) pairs units $rows),
                    _ => unreachable!("all of a block is multiplied, or half"),
                }
            }
        }
    };
}
pub(super) use dot_rows;

/// Defines `dot_panel`, which multiplies rows, at most six, by a panel: with an addition that [`pairs`] knows and the
/// registers that it uses beside the sums.
macro_rules! define_dot_panel {
    ($add:ident $scratch:tt) => {
        dot_rows!(dot_1 1 $add $scratch (0 r0 l0 h0));
        dot_rows!(dot_2 2 $add $scratch (0 r0 l0 h0, 1 r1 l1 h1));
        dot_rows!(dot_3 3 $add $scratch (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2));
        dot_rows!(dot_4 4 $add $scratch (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3));
        dot_rows!(dot_5 5 $add $scratch (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3, 4 r4 l4 h4));
        dot_rows!(dot_6 6 $add $scratch
            (0 r0 l0 h0, 1 r1 l1 h1, 2 r2 l2 h2, 3 r3 l3 h3, 4 r4 l4 h4, 5 r5 l5 h5));

        /// # Safety
        ///
        /// The CPU must have the instruction of the addition.
        #[inline]
        #[target_feature(enable = "avx2")]
        unsafe fn dot_panel<const R: usize>(
            rows: [&[Pair; 16]; R],
            units: &[Unit; 16],
            of: Range<usize>,
        ) -> [[__m256i; 2]; R] {
            // SAFETY: the caller vouches for the addition's instruction; AVX2 is enabled here.
            unsafe {
                match R {
                    1 => same_length(dot_1(same_length(rows), units, of)),
                    2 => same_length(dot_2(same_length(rows), units, of)),
                    3 => same_length(dot_3(same_length(rows), units, of)),
                    4 => same_length(dot_4(same_length(rows), units, of)),
                    5 => same_length(dot_5(same_length(rows), units, of)),
                    6 => same_length(dot_6(same_length(rows), units, of)),
                    _ => unreachable!("tiles have at most six rows"),
                }
            }
        }
    };
}
pub(super) use define_dot_panel;

/// The same array: in each arm of `dot_panel` N is R, which the compiler does not see.
#[inline(always)]
pub(super) fn same_length<T: Copy, const N: usize, const R: usize>(of: [T; N]) -> [T; R] {
    std::array::from_fn(|i| of[i])
}
