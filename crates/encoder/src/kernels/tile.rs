//! The innermost loops: a tile of `R` rows by `C` panels of sixteen columns, both known at compile time.
//!
//! Each lane of an accumulator is one output, so no sum crosses lanes, and every output is accumulated in the order of
//! `k`. The bits therefore do not depend on how rows and columns are cut into tiles.

use monomorph_quant::{
    BLOCK, FloatPanelBlock, HalvesMinPanelBlock, HalvesPanelBlock, IntPanelBlock, Ints,
    MinPanelBlock, PanelBlock,
};
use monomorph_simd::{Isa, PANEL, Pair, each};

/// [`BLOCK`] quantised inputs of a row, in the form that the instruction set multiplies.
pub type IntBlock = [Pair; BLOCK / 2];
/// [`BLOCK`] inputs of a row as float32.
pub type FloatBlock = [f32; BLOCK];

/// Sums of an [`IntBlock`]'s inputs, which are multiplied by minima. They are integers below 2^24 and therefore exact
/// in float32.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct BlockSums {
    /// The sum of all inputs.
    pub whole: f32,
    /// The sums of the first sixteen inputs and of the last sixteen.
    pub halves: [f32; 2],
}

/// The rows of a tile.
#[derive(Clone, Copy)]
pub struct TileRows<'a, B, const R: usize> {
    /// Each row's blocks.
    pub blocks: [&'a [B]; R],
    /// Each row's sums; empty if the panels have no minima.
    pub sums: [&'a [BlockSums]; R],
}

/// A kind of panel, with the row blocks that it is multiplied by.
pub trait TileBlock: PanelBlock {
    /// [`BLOCK`] inputs of a row.
    type RowBlock: bytemuck::Pod + Send + Sync;

    /// Multiplies `rows` (R x k) by C panels (k x 16 each) of `blocks` blocks, without the rows' scales. Integer
    /// panels meanwhile prefetch the blocks `ahead`, at most `blocks` for each panel; float panels, which have just been
    /// repacked, need not.
    fn tile<I: Isa, const R: usize, const C: usize>(
        isa: I,
        rows: TileRows<'_, Self::RowBlock, R>,
        panels: [&[Self]; C],
        ahead: [&[Self]; C],
        blocks: usize,
    ) -> [[I::F32; C]; R];
}

/// The integer panels. This is a trait of this crate so that the compiler knows that [`FloatPanelBlock`] does not implement
/// it.
pub trait Integers: Ints {}
impl Integers for IntPanelBlock {}
impl Integers for MinPanelBlock {}
impl Integers for HalvesPanelBlock {}
impl Integers for HalvesMinPanelBlock {}

impl<P: Integers> TileBlock for P {
    type RowBlock = IntBlock;

    /// Within a group the products are summed exactly in int32: the sum is at most 32 * 128 * 32768 = 2^27. It is
    /// rounded to float32, in the same way on every CPU. One fused multiply-add with the column's scale adds it to the
    /// float sum, and another adds the minimum times the sum of the row's inputs.
    #[inline(always)]
    fn tile<I: Isa, const R: usize, const C: usize>(
        isa: I,
        rows: TileRows<'_, IntBlock, R>,
        panels: [&[P]; C],
        ahead: [&[P]; C],
        blocks: usize,
    ) -> [[I::F32; C]; R] {
        let row_blocks = each(rows.blocks, |row| &row[..blocks]);
        let row_sums = each(rows.sums, |sums| if P::MINS { &sums[..blocks] } else { sums });
        let panels = each(panels, |panel| &panel[..blocks]);
        let units = const { BLOCK / 2 / P::GROUPS };
        let mut sums = [[isa.splat(0.0); C]; R];
        for b in 0..blocks {
            for ahead in ahead {
                if let Some(ahead) = ahead.get(b) {
                    prefetch_block(isa, ahead);
                }
            }
            for g in 0..P::GROUPS {
                let of_panels = each(panels, |panel| panel[b].units());
                let of_rows = each(row_blocks, |row| &row[b]);
                let acc = isa.dot(of_panels, of_rows, g * units..(g + 1) * units);
                for c in 0..C {
                    let scales = isa.load(&panels[c][b].scales()[g]);
                    for r in 0..R {
                        sums[r][c] = isa.mul_add(isa.to_f32(acc[r][c]), scales, sums[r][c]);
                    }
                }
                if P::MINS {
                    for c in 0..C {
                        let mins = isa.load(&panels[c][b].mins()[g]);
                        for r in 0..R {
                            let BlockSums { whole, halves } = row_sums[r][b];
                            let of_inputs = if P::GROUPS == 1 { whole } else { halves[g] };
                            sums[r][c] = isa.mul_add(isa.splat(of_inputs), mins, sums[r][c]);
                        }
                    }
                }
            }
        }
        sums
    }
}

impl TileBlock for FloatPanelBlock {
    type RowBlock = FloatBlock;

    #[inline(always)]
    fn tile<I: Isa, const R: usize, const C: usize>(
        isa: I,
        rows: TileRows<'_, FloatBlock, R>,
        panels: [&[FloatPanelBlock]; C],
        _: [&[FloatPanelBlock]; C],
        blocks: usize,
    ) -> [[I::F32; C]; R] {
        float_tile(isa, rows.blocks, panels, blocks)
    }
}

/// Multiplies R rows by C float panels.
#[inline(always)]
pub fn float_tile<I: Isa, const R: usize, const C: usize>(
    isa: I,
    rows: [&[FloatBlock]; R],
    panels: [&[FloatPanelBlock]; C],
    blocks: usize,
) -> [[I::F32; C]; R] {
    let rows = each(rows, |row| &row[..blocks]);
    let panels = each(panels, |panel| &panel[..blocks]);
    let mut sums = [[isa.splat(0.0); C]; R];
    for b in 0..blocks {
        for i in 0..BLOCK {
            let w = each(panels, |panel| isa.load(&panel[b].weights[i]));
            for r in 0..R {
                let a = isa.splat(rows[r][b][i]);
                for c in 0..C {
                    sums[r][c] = isa.mul_add(a, w[c], sums[r][c]);
                }
            }
        }
    }
    sums
}

/// The most sums of sixteen lanes that stay in registers. A tile has one for each pair of a row and a panel.
pub const fn most_sums<I: Isa, P: TileBlock>() -> usize {
    if P::KIND.is_ints() { I::INT_SUMS } else { I::FLOAT_SUMS }
}

#[inline(always)]
fn prefetch_block<I: Isa, P: PanelBlock>(isa: I, block: &P) {
    let lines = bytemuck::bytes_of(block).as_chunks::<64>().0;
    lines.iter().for_each(|line| isa.prefetch(line));
}

/// Multiplies R rows by C groups of sixteen columns, of two matrices that are stored k-major: the transpose of columns
/// `first..first + R` of `rows` (k x 16) by the first 16 C columns of `matrix`, whose rows are `stride` floats apart. The
/// products are added to `sums`.
#[inline(always)]
pub fn float_tile_transposed<I: Isa, const R: usize, const C: usize>(
    isa: I,
    rows: &[[f32; PANEL]],
    first: usize,
    matrix: &[f32],
    stride: usize,
    sums: &mut [[I::F32; C]; R],
) {
    for (row, columns) in rows.iter().zip(matrix.chunks(stride)) {
        let (Some(row), Some(columns)) =
            (row[first..].first_chunk::<R>(), columns.as_chunks().0.first_chunk::<C>())
        else {
            break;
        };
        let w = each(columns.each_ref(), |columns| isa.load(columns));
        for r in 0..R {
            let a = isa.splat(row[r]);
            for c in 0..C {
                sums[r][c] = isa.mul_add(a, w[c], sums[r][c]);
            }
        }
    }
}

/// Whether tiles of `rows` rows are compiled, if the tallest have `most`. Integer tiles come in all heights, to make
/// the most of the few rows of a short text. Float tiles come in few, since they wait for weights from memory anyway.
pub const fn has_height<P: TileBlock>(rows: usize, most: usize) -> bool {
    rows == most || rows < most && (P::KIND.is_ints() || rows.is_power_of_two())
}

/// The height of the next tile, with `left` rows to go and `most` rows in the tallest tile. Integer tiles are made
/// equally tall, as far as possible, since a low one has too few sums to keep the multipliers busy.
#[inline(always)]
pub fn next_height<P: TileBlock>(left: usize, most: usize) -> usize {
    if P::KIND.is_ints() {
        return left.div_ceil(left.div_ceil(most));
    }
    match left.min(most) {
        rows if has_height::<P>(rows, most) => rows,
        rows => 1 << rows.ilog2(),
    }
}

/// Runs `$body` with the constant `$R` set to `$rows`, a run-time value of [`next_height`] for panels `$P`.
macro_rules! with_rows {
    ($P:ty, $rows:expr, $most:expr, $R:ident => $body:expr) => {
        with_rows!(@ $P, $rows, $most, $R, $body, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $P:ty, $rows:expr, $most:expr, $R:ident, $body:expr, $($n:literal)*) => {
        match $rows {
            // The guards are constants, so that nothing is compiled for a height that is never used.
            $($n if const { $crate::kernels::tile::has_height::<$P>($n, $most) } => {
                const $R: usize = $n;
                $body
            })*
            rows => unreachable!("no tile of {rows} rows is compiled"),
        }
    };
}
pub(crate) use with_rows;
