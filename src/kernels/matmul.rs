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
//! 3. While a panel is unpacked, the next one's blocks (contiguous in the file) are prefetched.

use super::geglu::geglu;
use super::tile::{FloatBlock, IntBlock, Panel, each, most_sums, next_height, with_rows};
use crate::dim::Dim;
use crate::isa::{Isa, PANEL};
use crate::pool::ColumnsMut;
use crate::quant::{
    BF16, BLOCK, F16, F32, FloatPanel, Format, IQ4_NL, IntPanel, Q4_0, Q5_0, Q8_0, decode_blocks,
};
use monomorph_gguf::TensorType;

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

/// The right side of a product: a weight matrix of `n` outputs by `k` inputs.
#[allow(non_camel_case_types)] // The formats' names.
#[derive(Clone, Copy)]
pub enum Matrix<'a> {
    /// Blocks of the file, row by row.
    Q8_0(&'a [<Q8_0 as Format>::Block]),
    /// Floats of the file, row by row.
    F32(&'a [<F32 as Format>::Block]),
    /// Floats of the file, row by row.
    F16(&'a [<F16 as Format>::Block]),
    /// Floats of the file, row by row.
    BF16(&'a [<BF16 as Format>::Block]),
    /// Blocks of the file, row by row.
    Q4_0(&'a [<Q4_0 as Format>::Block]),
    /// Blocks of the file, row by row.
    Q5_0(&'a [<Q5_0 as Format>::Block]),
    /// Blocks of the file, row by row.
    IQ4_NL(&'a [<IQ4_NL as Format>::Block]),
    /// Blocks of the file, row by row, in any other of [`BLOCK_FORMATS`](crate::quant::BLOCK_FORMATS).
    Blocks(TensorType, &'a [u8]),
    /// Integer panels, kept since they were unpacked.
    IntPanels(&'a [IntPanel]),
}

impl Matrix<'_> {
    /// Whether the weights multiply quantised rows.
    pub fn takes_ints(&self) -> bool {
        use Matrix::{IQ4_NL, IntPanels, Q4_0, Q5_0, Q8_0};
        matches!(self, Q8_0(_) | Q4_0(_) | Q5_0(_) | IQ4_NL(_) | IntPanels(_))
    }
}

/// Room for the panels that are unpacked on use; grows to the largest group and stays.
#[derive(Default)]
pub struct PanelScratch {
    ints: [Vec<IntPanel>; 2],
    floats: [Vec<FloatPanel>; 2],
}

/// A group of panels, ready to run on; more of the matrix may follow.
enum Group<'a> {
    Ints(&'a [IntPanel]),
    Floats(&'a [FloatPanel]),
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

/// The `count` panels from `first` on: as they were kept, or unpacked into the scratch.
#[inline(always)]
fn unpack<'a, I: Isa, K: Dim>(
    isa: I,
    k: K,
    weights: Matrix<'a>,
    first: usize,
    count: usize,
    ints: &'a mut Vec<IntPanel>,
    floats: &'a mut Vec<FloatPanel>,
) -> Group<'a> {
    let blocks = k.size() / BLOCK;
    match weights {
        Matrix::IntPanels(all) => Group::Ints(&all[first * blocks..]),
        Matrix::Q8_0(all) => {
            Group::Ints(unpack_into::<I, Q8_0>(isa, blocks, all, first, count, ints))
        }
        Matrix::Q4_0(all) => {
            Group::Ints(unpack_into::<I, Q4_0>(isa, blocks, all, first, count, ints))
        }
        Matrix::Q5_0(all) => {
            Group::Ints(unpack_into::<I, Q5_0>(isa, blocks, all, first, count, ints))
        }
        Matrix::IQ4_NL(all) => {
            Group::Ints(unpack_into::<I, IQ4_NL>(isa, blocks, all, first, count, ints))
        }
        Matrix::Blocks(kind, all) => {
            Group::Floats(decode_into(kind, blocks, all, first, count, floats))
        }
        Matrix::F32(all) => {
            Group::Floats(unpack_into::<I, F32>(isa, blocks, all, first, count, floats))
        }
        Matrix::F16(all) => {
            Group::Floats(unpack_into::<I, F16>(isa, blocks, all, first, count, floats))
        }
        Matrix::BF16(all) => {
            Group::Floats(unpack_into::<I, BF16>(isa, blocks, all, first, count, floats))
        }
    }
}

#[inline(always)]
fn unpack_into<'a, I: Isa, F: Format>(
    isa: I,
    blocks: usize,
    weights: &[F::Block],
    first: usize,
    count: usize,
    to: &'a mut Vec<F::Panel>,
) -> &'a [F::Panel] {
    if to.len() < count * blocks {
        to.resize(count * blocks, bytemuck::Zeroable::zeroed());
    }
    let to = &mut to[..count * blocks];
    unpack_panels::<I, F>(isa, blocks, weights, first, to);
    to
}

/// Decodes panels of a block format row by row. Plain code, the same for every instruction set.
fn decode_into<'a>(
    kind: TensorType,
    blocks: usize,
    weights: &[u8],
    first: usize,
    count: usize,
    to: &'a mut Vec<FloatPanel>,
) -> &'a [FloatPanel] {
    // One more block holds the row being decoded: 32 x 16 floats are room for 512, and a row may need several.
    let row_blocks = blocks.div_ceil(PANEL);
    let needed = count * blocks + row_blocks;
    if to.len() < needed {
        to.resize(needed, bytemuck::Zeroable::zeroed());
    }
    let (panels, row) = to[..needed].split_at_mut(count * blocks);
    let row: &mut [f32] = &mut bytemuck::cast_slice_mut(row)[..blocks * BLOCK];
    let row_bytes = row.len() / kind.block_len() as usize * kind.block_bytes() as usize;
    for (p, panel) in panels.chunks_exact_mut(blocks).enumerate() {
        for c in 0..PANEL {
            let start = ((first + p) * PANEL + c) * row_bytes;
            decode_blocks(kind, &weights[start..start + row_bytes], row);
            for (to, from) in panel.iter_mut().zip(row.as_chunks::<BLOCK>().0) {
                for (to, from) in to.weights.iter_mut().zip(from) {
                    to[c] = *from;
                }
            }
        }
    }
    panels
}

/// Unpacks as many panels as `to` holds, from panel `first` of the matrix on.
#[inline(always)]
pub fn unpack_panels<I: Isa, F: Format>(
    isa: I,
    blocks: usize,
    weights: &[F::Block],
    first: usize,
    to: &mut [F::Panel],
) {
    for (p, panel) in to.chunks_exact_mut(blocks).enumerate() {
        let start = (first + p) * PANEL * blocks;
        let (here, next) = weights[start..].split_at(PANEL * blocks);
        for (b, to) in panel.iter_mut().enumerate() {
            prefetch_part::<I, F>(isa, next, b, blocks);
            F::unpack(isa, std::array::from_fn(|c| &here[c * blocks + b]), to);
        }
    }
}

/// Prefetches part `b` of `blocks` of the panel at the start of `next`.
#[inline(always)]
fn prefetch_part<I: Isa, F: Format>(isa: I, next: &[F::Block], b: usize, blocks: usize) {
    const LINE: usize = 64;
    let bytes: &[u8] = bytemuck::cast_slice(&next[..next.len().min(PANEL * blocks)]);
    let part = (PANEL * size_of::<F::Block>()).next_multiple_of(LINE);
    let end = ((b + 1) * part).min(bytes.len());
    for line in (b * part..end).step_by(LINE) {
        isa.prefetch(&bytes[line..]);
    }
}

#[cfg(test)]
#[path = "matmul_tests.rs"]
mod tests;
