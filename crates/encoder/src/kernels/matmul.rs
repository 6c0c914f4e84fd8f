//! Matrix products: rows of activations times the panels of a weight matrix.
//!
//! ```text
//! for a group of panels (16 columns x k each; repacked from the file's blocks, or kept)
//!     for a tile of rows
//!         for each panel of the group, or two:  tile (R x 16 C) = rows (R x k) * C panels (k x 16)
//! ```
//! 1. A tile's accumulators stay in registers for all of `k`.
//! 2. A group of panels stays in the L2 cache and a tile's rows in L1, so that rows are read from further away once per
//!    group, not once per panel.

use super::activation::Activate;
use super::group::Group;
use super::lanes;
use super::matrix::{Matrix, PanelScratch, repacked};
use super::tile::{
    BlockSums, FloatBlock, IntBlock, Integers, TileBlock, TileRows, most_sums, next_height,
    with_rows,
};
use crate::dim::Dim;
use crate::kernels::columns::ColumnsMut;
use monomorph_quant::{BLOCK, FloatPanelBlock, Line, PanelBlock, Types, with_panel};
use monomorph_simd::{Isa, PANEL};

/// Panels swept together. Four of k = 768 are 55 to 74 KB of integers, 196 KB of floats.
pub const GROUP: usize = 4;

/// The left side of a product: `m` rows, in the forms that the weights need.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The number of rows.
    pub m: usize,
    /// Quantised rows, m x (k / 32) blocks; empty if no integer weights read them.
    pub ints: &'a [IntBlock],
    /// A scale for each quantised row.
    pub scales: &'a [f32],
    /// Sums of each quantised block; empty if no weights with minima read them.
    pub sums: &'a [BlockSums],
    /// Float rows, m x (k / 32) blocks; empty if no float weights read them.
    pub floats: &'a [FloatBlock],
}

/// `out = rows * weights + bias` for the columns of `out`, which start at panel `first` of the matrix. The matrix's
/// type must be one of `T`.
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
    for at in (0..panels).step_by(GROUP) {
        let place = GroupPlace { first, panels, at, count: GROUP.min(panels - at) };
        multiply_group::<I, K, T>(isa, k, rows, weights, place, &mut scratch.group, at, out);
    }
}

/// `out = activation(rows * gate + bias) * (rows * up + bias)` for the columns of `out`, which start at panel `first`
/// of both matrices.
///
/// The gates of a group are written where the result goes and its up projections to the scratch, and they are
/// multiplied while both are in the cache.
#[allow(clippy::too_many_arguments)] // A product of two matrices that share everything else.
pub fn matmul_gated<I: Isa, K: Dim, T: Types, A: Activate>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    [gate, up]: [Matrix<'_>; 2],
    first: usize,
    scratch: &mut PanelScratch,
    out: &mut ColumnsMut<'_>,
) {
    let panels = out.width() / PANEL;
    let PanelScratch { group, ups } = scratch;
    for at in (0..panels).step_by(GROUP) {
        let place = GroupPlace { first, panels, at, count: GROUP.min(panels - at) };
        let width = place.count * PANEL;
        if ups.len() < rows.m * width {
            ups.resize(rows.m * width, 0.0);
        }
        let ups = &mut ups[..rows.m * width];
        multiply_group::<I, K, T>(isa, k, rows, gate, place, group, at, out);
        let columns = &mut ColumnsMut::new(ups, width);
        multiply_group::<I, K, T>(isa, k, rows, up, place, group, 0, columns);
        isa.vectorize(
            #[inline(always)]
            || {
                for (row, ups) in ups.chunks_exact(width).enumerate() {
                    for (panel, up) in lanes(ups).iter().enumerate() {
                        let gate = out.panel_mut(row, at + panel);
                        let activated = A::activate(isa, isa.load(gate));
                        isa.store(isa.mul(activated, isa.load(up)), gate);
                    }
                }
            },
        );
    }
}

/// Where a group of panels lies in the part of a matrix that a thread works on.
#[derive(Clone, Copy)]
struct GroupPlace {
    /// The first panel of the part, in the matrix.
    first: usize,
    /// Panels of the part.
    panels: usize,
    /// The first of these panels, in the part.
    at: usize,
    /// The number of these panels.
    count: usize,
}

/// Multiplies all rows by a group of panels and writes to the columns of `out` from panel `to` on. Not inlined, so that
/// plain and gated products share one copy, whatever the activation.
#[inline(never)]
#[allow(clippy::too_many_arguments)]
fn multiply_group<I: Isa, K: Dim, T: Types>(
    isa: I,
    k: K,
    rows: Rows<'_>,
    weights: Matrix<'_>,
    place: GroupPlace,
    scratch: &mut Vec<Line>,
    to: usize,
    out: &mut ColumnsMut<'_>,
) {
    let GroupPlace { first, panels, at, count } = place;
    let group = repacked(isa, k.size() / BLOCK, weights, first + at, count, scratch);
    let bias = weights.bias(first + at);
    with_panel!(T, weights.panel_kind(), |P| isa.vectorize(
        #[inline(always)]
        || sweep::<I, P>(isa, rows, group_of(k, group, panels, at, count), bias, to, out),
    ));
}

/// The rows in the form that panels of kind `P` multiply.
trait RowsFor: TileBlock {
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

impl RowsFor for FloatPanelBlock {
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

/// `count` panels, from panel `at` on, of a part of `panels` panels. `lines` begins with them.
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

/// All rows over a group of panels: two at a time where registers suffice, however few the rows are. A tile of R rows
/// and C panels loads R + C vectors for each R x C products, and on AVX-512 it is the loads that it waits for: 12 rows
/// as two tiles of 6 x 2 take 16 loads for what two tiles of 12 x 1 do with 26.
#[inline(always)]
fn sweep<I: Isa, P: RowsFor>(
    isa: I,
    rows: Rows<'_>,
    group: Group<'_, P>,
    bias: Option<&[[f32; PANEL]]>,
    to: usize,
    out: &mut ColumnsMut<'_>,
) {
    if I::WIDE {
        sweep_by::<I, P, 2>(isa, rows, group, bias, to, out);
    } else {
        sweep_by::<I, P, 1>(isa, rows, group, bias, to, out);
    }
}

/// [`sweep`], with `C` (1 or 2) panels at a time.
#[inline(always)]
fn sweep_by<I: Isa, P: RowsFor, const C: usize>(
    isa: I,
    rows: Rows<'_>,
    group: Group<'_, P>,
    bias: Option<&[[f32; PANEL]]>,
    to: usize,
    out: &mut ColumnsMut<'_>,
) {
    let mut row = 0;
    while row < rows.m {
        let height = next_height::<P>(rows.m - row, most_sums::<I, P>() / C);
        with_rows!(P, height, most_sums::<I, P>() / C, R => {
            let tile = P::tile_rows::<R>(&rows, group.blocks, row);
            let mut p = 0;
            while p + C <= group.count {
                multiply::<I, P, R, C>(isa, &rows, row, tile, group, p, bias, to, out);
                p += C;
            }
            if C > 1 && p < group.count {
                multiply::<I, P, R, 1>(isa, &rows, row, tile, group, p, bias, to, out);
            }
        });
        row += height;
    }
}

/// Multiplies the rows `tile`, which begin at row `row`, by the `C` panels of the group from panel `p` on. `bias`
/// begins with the group's first panel.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn multiply<I: Isa, P: RowsFor, const R: usize, const C: usize>(
    isa: I,
    rows: &Rows<'_>,
    row: usize,
    tile: TileRows<'_, P::RowBlock, R>,
    group: Group<'_, P>,
    p: usize,
    bias: Option<&[[f32; PANEL]]>,
    to: usize,
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
            let value = match bias {
                None => isa.mul(products[r][c], scale),
                Some(bias) => isa.mul_add(products[r][c], scale, isa.load(&bias[p + c])),
            };
            isa.store(value, out.panel_mut(row + r, to + p + c));
        }
    }
}

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
