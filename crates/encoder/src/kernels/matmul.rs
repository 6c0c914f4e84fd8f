//! Matrix products: rows of activations times the panels of a weight matrix.
//!
//! ```text
//! for a group of panels (16 columns x k each; repacked from the file's blocks, or kept)
//!     for a tile of rows
//!         for each panel of the group, or two:  tile (R x 16 C) = rows (R x k) * C panels (k x 16)
//! ```
//! 1. A tile's accumulators stay in registers for all of `k`.
//! 2. A group of panels stays in the L2 cache and a tile's rows in L1, so that rows are read from further away
//!    once a group, not once a panel.

use super::geglu::geglu;
use super::group::Group;
use super::lanes;
use super::matrix::{Matrix, PanelScratch, repacked};
use super::tile::{
    BlockSums, FloatBlock, IntBlock, Integers, Panel, TileRows, most_sums, next_height, with_rows,
};
use crate::dim::Dim;
use crate::kernels::columns::ColumnsMut;
use monomorph_quant::{BLOCK, FloatPanel, Line, PanelBlock, Types, with_panel};
use monomorph_simd::{Isa, PANEL, each};

/// Panels swept together. Four of k = 768 are 55 to 74 KB of integers, 196 KB of floats.
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
    /// Sums of each quantised block; empty if no weights with minima follow.
    pub sums: &'a [BlockSums],
    /// Float rows, m x (k / 32) blocks; empty if no float weights follow.
    pub floats: &'a [FloatBlock],
}

/// `out = rows * weights` for the columns of `out`, which start at panel `first` of the matrix; its type is one of `T`.
pub fn matmul<I: Isa, K: Dim, T: Types>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    weights: Matrix<'_>,
    first: usize,
    scratch: &mut PanelScratch,
    out: &mut ColumnsMut<'_>,
) {
    let panels = out.width() / PANEL;
    let blocks = k.size() / BLOCK;
    for at in (0..panels).step_by(GROUP) {
        let count = GROUP.min(panels - at);
        let group = repacked(isa, blocks, weights, first + at, count, &mut scratch.first);
        with_panel!(T, weights.panel_kind(), |P| isa.vectorize(
            #[inline(always)]
            || sweep::<I, P>(isa, rows, group_of(k, group, panels, at, count), at, out),
        ));
    }
}

/// `out = geglu(rows * gate, rows * up)` for the columns of `out`, which start at panel `first` of both matrices.
#[allow(clippy::too_many_arguments)] // A product of two matrices that share everything else.
pub fn matmul_geglu<I: Isa, K: Dim, T: Types>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    gate: Matrix<'_>,
    up: Matrix<'_>,
    first: usize,
    scratch: &mut PanelScratch,
    out: &mut ColumnsMut<'_>,
) {
    if gate.panel_kind() != up.panel_kind() {
        return matmul_then_geglu::<I, K, T>(isa, k, rows, gate, up, first, scratch, out);
    }
    let panels = out.width() / PANEL;
    let blocks = k.size() / BLOCK;
    for at in (0..panels).step_by(GROUP / 2) {
        let count = (GROUP / 2).min(panels - at);
        let gates = repacked(isa, blocks, gate, first + at, count, &mut scratch.first);
        let ups = repacked(isa, blocks, up, first + at, count, &mut scratch.second);
        with_panel!(T, gate.panel_kind(), |P| isa.vectorize(
            #[inline(always)]
            || {
                let [gates, ups] = [gates, ups].map(|lines| group_of(k, lines, panels, at, count));
                sweep_geglu::<I, P>(isa, rows, gates, ups, at, out);
            },
        ));
    }
}

/// [`matmul_geglu`] of two matrices whose panels differ, which few files have: one product after the other, a group of
/// panels at a time.
#[allow(clippy::too_many_arguments)]
fn matmul_then_geglu<I: Isa, K: Dim, T: Types>(
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
    let mut products = std::mem::take(&mut scratch.products);
    for at in (0..panels).step_by(GROUP) {
        let width = GROUP.min(panels - at) * PANEL;
        products.resize(2 * rows.m * width, 0.0);
        let (gates, ups) = products.split_at_mut(rows.m * width);
        for (weights, to) in [(gate, &mut *gates), (up, &mut *ups)] {
            let to = &mut ColumnsMut::new(to, width);
            matmul::<I, K, T>(isa, k, rows, weights, first + at, scratch, to);
        }
        isa.vectorize(
            #[inline(always)]
            || {
                let both = gates.chunks_exact(width).zip(ups.chunks_exact(width));
                for (row, (gates, ups)) in both.enumerate() {
                    for (panel, (gate, up)) in lanes(gates).iter().zip(lanes(ups)).enumerate() {
                        let (gate, up) = (isa.load(gate), isa.load(up));
                        isa.store(geglu(isa, gate, up), out.panel_mut(row, at + panel));
                    }
                }
            },
        );
    }
    scratch.products = products;
}

/// The rows in the form that panels of kind `P` multiply.
trait RowsFor: Panel {
    /// `R` rows of `blocks` blocks, from row `row` on.
    fn tile_rows<'a, const R: usize>(
        rows: &Rows<'a>,
        blocks: usize,
        row: usize,
    ) -> TileRows<'a, Self::RowBlock, R>;
    /// The factor that row `r` of a product still needs.
    fn scale(rows: &Rows<'_>, r: usize) -> f32;
}

impl<P: Integers> RowsFor for P {
    #[inline(always)]
    fn tile_rows<'a, const R: usize>(
        rows: &Rows<'a>,
        blocks: usize,
        row: usize,
    ) -> TileRows<'a, IntBlock, R> {
        let sums = if P::MINS { cut(rows.sums, blocks, row) } else { [&[][..]; R] };
        TileRows { blocks: cut(rows.ints, blocks, row), sums }
    }
    #[inline(always)]
    fn scale(rows: &Rows<'_>, r: usize) -> f32 {
        rows.scales[r]
    }
}

impl RowsFor for FloatPanel {
    #[inline(always)]
    fn tile_rows<'a, const R: usize>(
        rows: &Rows<'a>,
        blocks: usize,
        row: usize,
    ) -> TileRows<'a, FloatBlock, R> {
        TileRows { blocks: cut(rows.floats, blocks, row), sums: [&[]; R] }
    }
    #[inline(always)]
    fn scale(_: &Rows<'_>, _: usize) -> f32 {
        1.0
    }
}

/// `R` rows of `per_row` elements, from row `row` on.
#[inline(always)]
fn cut<T, const R: usize>(all: &[T], per_row: usize, row: usize) -> [&[T]; R] {
    let tile = &all[row * per_row..(row + R) * per_row];
    let mut rows = [tile; R];
    for r in 0..R {
        rows[r] = &tile[r * per_row..(r + 1) * per_row];
    }
    rows
}

/// `count` panels from panel `at` of a part of `panels`; `lines` begins with them.
#[inline(always)]
fn group_of<K: Dim, P: PanelBlock>(
    k: K,
    lines: &[Line],
    panels: usize,
    at: usize,
    count: usize,
) -> Group<'_, P> {
    let blocks = k.size() / BLOCK;
    let all: &[P] = bytemuck::cast_slice(lines);
    Group { panels: &all[..all.len().min((panels - at) * blocks)], blocks, count, first: at == 0 }
}

/// All rows over a group of panels.
#[inline(always)]
fn sweep<I: Isa, P: RowsFor>(
    isa: I,
    rows: Rows<'_>,
    group: Group<'_, P>,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    if I::WIDE && rows.m > most_sums::<I, P>() {
        sweep_by::<I, P, 2>(isa, rows, group, at, out);
    } else {
        sweep_by::<I, P, 1>(isa, rows, group, at, out);
    }
}

/// As [`sweep`], `C` (1 or 2) panels at a time.
#[inline(always)]
fn sweep_by<I: Isa, P: RowsFor, const C: usize>(
    isa: I,
    rows: Rows<'_>,
    group: Group<'_, P>,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let mut row = 0;
    while row < rows.m {
        let height = next_height::<P>(rows.m - row, most_sums::<I, P>() / C);
        with_rows!(P, height, most_sums::<I, P>() / C, R => {
            let tile = P::tile_rows::<R>(&rows, group.blocks, row);
            let mut p = 0;
            while p + C <= group.count {
                multiply::<I, P, R, C>(isa, &rows, row, tile, group, p, at, out);
                p += C;
            }
            if C > 1 && p < group.count {
                multiply::<I, P, R, 1>(isa, &rows, row, tile, group, p, at, out);
            }
        });
        row += height;
    }
}

/// The rows `tile`, which begin at row `row`, times the `C` panels of the group from panel `p` on.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn multiply<I: Isa, P: RowsFor, const R: usize, const C: usize>(
    isa: I,
    rows: &Rows<'_>,
    row: usize,
    tile: TileRows<'_, P::RowBlock, R>,
    group: Group<'_, P>,
    p: usize,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let mut panels = [group.panel(p); C];
    let mut ahead = [&[][..]; C];
    for c in 0..C {
        panels[c] = group.panel(p + c);
        ahead[c] = group.ahead(rows.m, row, R, p + c);
    }
    let products = P::tile::<I, R, C>(isa, tile, panels, ahead, group.blocks);
    for r in 0..R {
        let scale = isa.splat(P::scale(rows, row + r));
        for c in 0..C {
            isa.store(isa.mul(products[r][c], scale), out.panel_mut(row + r, at + p + c));
        }
    }
}

/// All rows over a group of gate panels and the matching up panels of the same kind.
#[inline(always)]
fn sweep_geglu<I: Isa, P: RowsFor>(
    isa: I,
    rows: Rows<'_>,
    gates: Group<'_, P>,
    ups: Group<'_, P>,
    at: usize,
    out: &mut ColumnsMut<'_>,
) {
    let wide = I::WIDE && rows.m > most_sums::<I, P>();
    let most = most_sums::<I, P>() / if wide { 2 } else { 1 };
    let blocks = gates.blocks;
    let mut row = 0;
    while row < rows.m {
        let height = next_height::<P>(rows.m - row, most);
        with_rows!(P, height, most_sums::<I, P>(), R => {
            let tile = P::tile_rows::<R>(&rows, blocks, row);
            for p in 0..gates.count {
                let [g, u] = [gates, ups].map(|group| group.panel(p));
                let ahead = [gates, ups].map(|group| group.ahead(rows.m, row, R, p));
                let mut products = [[isa.splat(0.0); 2]; R];
                if const { I::WIDE && R <= most_sums::<I, P>() / 2 } {
                    products = P::tile::<I, R, 2>(isa, tile, [g, u], ahead, blocks);
                } else {
                    let gate = P::tile::<I, R, 1>(isa, tile, [g], [ahead[0]], blocks);
                    let up = P::tile::<I, R, 1>(isa, tile, [u], [ahead[1]], blocks);
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

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
