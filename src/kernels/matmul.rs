//! Matrix products: rows of activations times the panels of a weight matrix.
//!
//! ```text
//! for a group of panels (16 columns x k each; unpacked from the file's blocks, or kept)
//!     for a tile of rows
//!         for each panel of the group, or two:  tile (R x 16 C) = rows (R x k) * C panels (k x 16)
//! ```
//! 1. A tile's accumulators stay in registers for all of `k`.
//! 2. A group of panels stays in the L2 cache and a tile's rows in L1, so that rows are read from further away
//!    once a group, not once a panel.

use super::geglu::geglu;
use super::tile::{FloatBlock, IntBlock, Panel, each, most_sums, next_height, with_rows};
use super::unpack::{Group, Matrix, PanelScratch, unpack};
use crate::dim::Dim;
use crate::isa::{Isa, PANEL};
use crate::pool::ColumnsMut;
use crate::quant::{BLOCK, FloatPanel, IntPanel};

/// Panels swept together. Four of k = 768 are 55 KB as int8.
pub const GROUP: usize = 4;

/// The left side of a product: `m` rows, in the forms that weights ask for.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The number of rows.
    pub m: usize,
    /// Quantised rows, m x (k / 32) blocks; empty if no integer weights follow.
    pub ints: &'a [IntBlock],
    /// A scale for each quantised row.
    pub scales: &'a [f32],
    /// Float rows, m x (k / 32) blocks; empty if no float weights follow.
    pub floats: &'a [FloatBlock],
}

/// `out = rows * weights` for the columns of `out`, which start at panel `first` of the matrix.
pub fn matmul<I: Isa, K: Dim>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    weights: Matrix<'_>,
    first: usize,
    scratch: &mut PanelScratch,
    out: &mut ColumnsMut<'_>,
) {
    let panels = out.width() / PANEL;
    isa.vectorize(
        #[inline(always)]
        || {
            let [ints, _] = &mut scratch.ints;
            let [floats, _] = &mut scratch.floats;
            for at in (0..panels).step_by(GROUP) {
                let count = GROUP.min(panels - at);
                let group = unpack(isa, k, weights, first + at, count, ints, floats);
                match group {
                    Group::Ints(group) => sweep(isa, k, rows, group, count, at, out),
                    Group::Floats(group) => sweep(isa, k, rows, group, count, at, out),
                }
            }
        },
    );
}

/// `out = geglu(rows * gate, rows * up)` for the columns of `out`, which start at panel `first` of both matrices.
#[allow(clippy::too_many_arguments)] // A product of two matrices that share everything else.
pub fn matmul_geglu<I: Isa, K: Dim>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    gate: Matrix<'_>,
    up: Matrix<'_>,
    first: usize,
    scratch: &mut PanelScratch,
    out: &mut ColumnsMut<'_>,
) {
    let panels = out.width() / PANEL;
    isa.vectorize(
        #[inline(always)]
        || {
            let [gate_ints, up_ints] = &mut scratch.ints;
            let [gate_floats, up_floats] = &mut scratch.floats;
            for at in (0..panels).step_by(GROUP / 2) {
                let count = (GROUP / 2).min(panels - at);
                let gate = unpack(isa, k, gate, first + at, count, gate_ints, gate_floats);
                let up = unpack(isa, k, up, first + at, count, up_ints, up_floats);
                match (gate, up) {
                    (Group::Ints(g), Group::Ints(u)) => {
                        sweep_geglu(isa, k, rows, g, u, count, at, out)
                    }
                    (Group::Floats(g), Group::Floats(u)) => {
                        sweep_geglu(isa, k, rows, g, u, count, at, out)
                    }
                    (Group::Ints(g), Group::Floats(u)) => {
                        sweep_geglu_mixed(isa, k, rows, g, u, count, at, out)
                    }
                    (Group::Floats(g), Group::Ints(u)) => {
                        sweep_geglu_mixed(isa, k, rows, g, u, count, at, out)
                    }
                }
            }
        },
    );
}

/// Row blocks and scales of the form that panel kind `P` multiplies.
trait RowsFor: Panel {
    fn blocks<'a>(rows: &Rows<'a>) -> &'a [Self::RowBlock];
    /// The factor that row `r` of a product still needs.
    fn scale(rows: &Rows<'_>, r: usize) -> f32;
}

impl RowsFor for IntPanel {
    #[inline(always)]
    fn blocks<'a>(rows: &Rows<'a>) -> &'a [IntBlock] {
        rows.ints
    }
    #[inline(always)]
    fn scale(rows: &Rows<'_>, r: usize) -> f32 {
        rows.scales[r]
    }
}

impl RowsFor for FloatPanel {
    #[inline(always)]
    fn blocks<'a>(rows: &Rows<'a>) -> &'a [FloatBlock] {
        rows.floats
    }
    #[inline(always)]
    fn scale(_: &Rows<'_>, _: usize) -> f32 {
        1.0
    }
}

/// The blocks of `R` rows from row `row` on.
#[inline(always)]
fn tile_rows<T, const R: usize>(blocks: &[T], per_row: usize, row: usize) -> [&[T]; R] {
    let tile = &blocks[row * per_row..(row + R) * per_row];
    let mut rows = [tile; R];
    for r in 0..R {
        rows[r] = &tile[r * per_row..(r + 1) * per_row];
    }
    rows
}

/// All rows over a group of `count` panels.
#[inline(always)]
fn sweep<I: Isa, K: Dim, P: RowsFor>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    group: &[P],
    count: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    if I::WIDE && rows.m > most_sums::<I, P>() {
        sweep_by::<I, K, P, 2>(isa, k, rows, group, count, at, out);
    } else {
        sweep_by::<I, K, P, 1>(isa, k, rows, group, count, at, out);
    }
}

/// As [`sweep`], `C` (1 or 2) panels at a time.
#[inline(always)]
fn sweep_by<I: Isa, K: Dim, P: RowsFor, const C: usize>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    group: &[P],
    count: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let blocks = k.size() / BLOCK;
    let mut row = 0;
    while row < rows.m {
        let height = next_height::<P>(rows.m - row, most_sums::<I, P>() / C);
        with_rows!(P, height, most_sums::<I, P>() / C, R => {
            let tile = tile_rows::<_, R>(P::blocks(&rows), blocks, row);
            let mut p = 0;
            while p + C <= count {
                multiply::<I, P, R, C>(isa, &rows, row, tile, &group[p * blocks..], blocks, at + p, out);
                p += C;
            }
            if C > 1 && p < count {
                multiply::<I, P, R, 1>(isa, &rows, row, tile, &group[p * blocks..], blocks, at + p, out);
            }
        });
        row += height;
    }
}

/// The rows `tile`, which begin at row `row`, times `C` neighbouring panels, into the columns from panel `at` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn multiply<I: Isa, P: RowsFor, const R: usize, const C: usize>(
    isa: I,
    rows: &Rows<'_>,
    row: usize,
    tile: [&[P::RowBlock]; R],
    panels: &[P],
    blocks: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let mut each_panel = [panels; C];
    for c in 0..C {
        each_panel[c] = &panels[c * blocks..];
    }
    let products = P::tile::<I, R, C>(isa, tile, each_panel, blocks);
    for r in 0..R {
        let scale = isa.splat(P::scale(rows, row + r));
        for c in 0..C {
            isa.store(isa.mul(products[r][c], scale), out.panel_mut(row + r, at + c));
        }
    }
}

/// All rows over a group of `count` gate panels and the matching up panels of the same kind.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn sweep_geglu<I: Isa, K: Dim, P: RowsFor>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    gates: &[P],
    ups: &[P],
    count: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let wide = I::WIDE && rows.m > most_sums::<I, P>();
    let most = most_sums::<I, P>() / if wide { 2 } else { 1 };
    let blocks = k.size() / BLOCK;
    let mut row = 0;
    while row < rows.m {
        let height = next_height::<P>(rows.m - row, most);
        with_rows!(P, height, most_sums::<I, P>(), R => {
            let tile = tile_rows::<_, R>(P::blocks(&rows), blocks, row);
            for p in 0..count {
                let [g, u] = [&gates[p * blocks..], &ups[p * blocks..]];
                let mut products = [[isa.splat(0.0); 2]; R];
                if const { I::WIDE && R <= most_sums::<I, P>() / 2 } {
                    products = P::tile::<I, R, 2>(isa, tile, [g, u], blocks);
                } else {
                    let gate = P::tile::<I, R, 1>(isa, tile, [g], blocks);
                    let up = P::tile::<I, R, 1>(isa, tile, [u], blocks);
                    for r in 0..R {
                        products[r] = [gate[r][0], up[r][0]];
                    }
                }
                for r in 0..R {
                    let scale = isa.splat(P::scale(&rows, row + r));
                    let [gate, up] = each(products[r], |product| isa.mul(product, scale));
                    isa.store(geglu(isa, gate, up), out.panel_mut(row + r, at + p));
                }
            }
        });
        row += height;
    }
}

/// As [`sweep_geglu`] for a gate and an up matrix of different kinds, which few files have: products first, then
/// the gate.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn sweep_geglu_mixed<I: Isa, K: Dim, G: RowsFor, U: RowsFor>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    gates: &[G],
    ups: &[U],
    count: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let blocks = k.size() / BLOCK;
    for row in 0..rows.m {
        let gate_row = tile_rows::<_, 1>(G::blocks(&rows), blocks, row);
        let up_row = tile_rows::<_, 1>(U::blocks(&rows), blocks, row);
        for p in 0..count {
            let [[gate]] = G::tile::<I, 1, 1>(isa, gate_row, [&gates[p * blocks..]], blocks);
            let [[up]] = U::tile::<I, 1, 1>(isa, up_row, [&ups[p * blocks..]], blocks);
            let gate = isa.mul(gate, isa.splat(G::scale(&rows, row)));
            let up = isa.mul(up, isa.splat(U::scale(&rows, row)));
            isa.store(geglu(isa, gate, up), out.panel_mut(row, at + p));
        }
    }
}

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
