//! The innermost loops: a tile of `R` rows by sixteen columns, `R` known at compile time.
//!
//! Each lane of an accumulator is one output, so no sum crosses lanes, and every output is accumulated in the order
//! of `k`: the bits do not depend on how rows and columns were cut into tiles.

use crate::isa::{Isa, PANEL};
use crate::quant::{BLOCK, FloatPanel, IntPanel};
use std::array::from_fn;

/// [`BLOCK`] inputs of a row, quantised, in pairs along `k`.
pub type IntBlock = [[i16; 2]; BLOCK / 2];
/// [`BLOCK`] inputs of a row as they are.
pub type FloatBlock = [f32; BLOCK];

/// A kind of panel, with the row blocks that it multiplies.
pub trait Panel: bytemuck::Pod + Send + Sync {
    /// [`BLOCK`] inputs of a row.
    type RowBlock: bytemuck::Pod + Send + Sync;

    /// The tallest tile of this kind.
    fn max_rows<I: Isa>() -> usize;

    /// `rows` (R x k) times a panel (k x 16), before the rows' scales. The panel is the first `blocks` of `panels`;
    /// what follows is what is read next.
    fn tile<I: Isa, const R: usize>(
        isa: I,
        rows: [&[Self::RowBlock]; R],
        panels: &[Self],
        blocks: usize,
    ) -> [I::F32; R];
}

impl Panel for IntPanel {
    type RowBlock = IntBlock;

    #[inline(always)]
    fn max_rows<I: Isa>() -> usize {
        I::INT_ROWS
    }

    /// Within a block the products are summed in int32, exactly: 32 * 127 * 32767 < 2^31. Then one fused
    /// multiply-add with the column's scale adds the block to the float sum.
    #[inline(always)]
    fn tile<I: Isa, const R: usize>(
        isa: I,
        rows: [&[IntBlock]; R],
        panels: &[IntPanel],
        blocks: usize,
    ) -> [I::F32; R] {
        let rows: [_; R] = from_fn(|r| &rows[r][..blocks]);
        let mut sums = [isa.splat(0.0); R];
        for (b, block) in panels[..blocks].iter().enumerate() {
            let rows: [_; R] = from_fn(|r| &rows[r][b]);
            if let Some(ahead) = panels.get(b + AHEAD) {
                prefetch_block(isa, ahead);
            }
            let mut acc = [isa.zero(); R];
            for i in 0..BLOCK / 2 {
                let w = isa.widen(&block.units[i]);
                for r in 0..R {
                    acc[r] = isa.dot_pairs(acc[r], w, rows[r][i]);
                }
            }
            let scales = isa.load(&block.scales);
            for r in 0..R {
                sums[r] = isa.mul_add(isa.to_f32(acc[r]), scales, sums[r]);
            }
        }
        sums
    }
}

impl Panel for FloatPanel {
    type RowBlock = FloatBlock;

    #[inline(always)]
    fn max_rows<I: Isa>() -> usize {
        I::FLOAT_ROWS
    }

    #[inline(always)]
    fn tile<I: Isa, const R: usize>(
        isa: I,
        rows: [&[FloatBlock]; R],
        panels: &[FloatPanel],
        blocks: usize,
    ) -> [I::F32; R] {
        let rows: [_; R] = from_fn(|r| &rows[r][..blocks]);
        let mut sums = [isa.splat(0.0); R];
        for (b, block) in panels[..blocks].iter().enumerate() {
            let rows: [_; R] = from_fn(|r| &rows[r][b]);
            for i in 0..BLOCK {
                let w = isa.load(&block.weights[i]);
                for r in 0..R {
                    sums[r] = isa.mul_add(isa.splat(rows[r][i]), w, sums[r]);
                }
            }
        }
        sums
    }
}

/// Blocks between the one in use and the one prefetched: 9 KB. A tile reads a dozen rows besides the panel, more
/// streams than the CPU's own prefetcher follows: without this, 12 rows over weights in memory ran at 8 GB/s, not 19
/// (Zen 5).
const AHEAD: usize = 16;

#[inline(always)]
fn prefetch_block<I: Isa>(isa: I, block: &IntPanel) {
    let lines = bytemuck::bytes_of(block).as_chunks::<64>().0;
    lines.iter().for_each(|line| isa.prefetch(line));
}

/// The transpose of columns `first..first + R` of a k x 16 matrix, times a k x 16 matrix of floats whose rows lie
/// `stride` apart.
#[inline(always)]
pub fn float_tile_transposed<I: Isa, const R: usize>(
    isa: I,
    columns: &[[f32; PANEL]],
    first: usize,
    matrix: &[f32],
    stride: usize,
) -> [I::F32; R] {
    let mut sums = [isa.splat(0.0); R];
    for (row, w) in columns.iter().zip(matrix.chunks(stride)) {
        let (Some(row), Some(w)) = (row[first..].first_chunk::<R>(), w.first_chunk()) else {
            break;
        };
        let w = isa.load(w);
        for r in 0..R {
            sums[r] = isa.mul_add(isa.splat(row[r]), w, sums[r]);
        }
    }
    sums
}

/// Runs `$body` with the constant `$R` set to `$rows`, a run-time count of 1 to `$most`.
macro_rules! with_rows {
    ($rows:expr, $most:expr, $R:ident => $body:expr) => {
        with_rows!(@ $rows, $most, $R, $body, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $rows:expr, $most:expr, $R:ident, $body:expr, $($n:literal)*) => {
        match $rows {
            // The comparison is between constants: an instruction set with small tiles compiles no large ones.
            $($n if $n <= $most => {
                const $R: usize = $n;
                $body
            })*
            rows => unreachable!("a tile of {rows} rows"),
        }
    };
}
pub(crate) use with_rows;
