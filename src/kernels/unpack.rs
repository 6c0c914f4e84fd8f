//! Weight matrices as the panels that products run on: kept since they were unpacked, or unpacked on use.
//!
//! While a panel is unpacked, the next one's blocks (contiguous in the file) are prefetched.

use crate::isa::{Isa, PANEL};
use crate::quant::{Format, Line, PanelKind, panel_kind, with_format};
use monomorph_gguf::TensorType;

/// The right side of a product: a weight matrix of `n` outputs by `k` inputs.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    kind: TensorType,
    form: Form<'a>,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    /// As the file has it, row by row.
    Blocks(&'a [u8]),
    /// All panels, unpacked.
    Panels(&'a [Line]),
}

impl<'a> Matrix<'a> {
    /// A matrix as a file has it: whole blocks, row by row.
    pub fn blocks(kind: TensorType, bytes: &'a [u8]) -> Matrix<'a> {
        Matrix { kind, form: Form::Blocks(bytes) }
    }

    /// All panels of a matrix, as [`unpack_panels`] made them of its blocks.
    pub fn panels(kind: TensorType, panels: &'a [Line]) -> Matrix<'a> {
        Matrix { kind, form: Form::Panels(panels) }
    }

    /// The kind of its panels.
    pub fn panel_kind(&self) -> PanelKind {
        panel_kind(self.kind)
    }
}

/// Room for panels that are unpacked on use; grows to the largest group and stays.
#[derive(Default)]
pub struct PanelScratch {
    /// A group of the matrix, or of the first of two.
    pub(super) first: Vec<Line>,
    /// A group of the second of two.
    pub(super) second: Vec<Line>,
    /// Products of a group of gates and of ups whose panels differ.
    pub(super) products: Vec<f32>,
}

/// The `count` panels of `blocks` blocks from panel `first` on, ready to run on: as they were kept, with whatever follows
/// them, or unpacked into the scratch.
pub(super) fn unpack<'a, I: Isa>(
    isa: I,
    blocks: usize,
    weights: Matrix<'a>,
    first: usize,
    count: usize,
    scratch: &'a mut Vec<Line>,
) -> &'a [Line] {
    let lines = blocks * weights.panel_kind().block_lines();
    match weights.form {
        Form::Panels(all) => &all[first * lines..],
        Form::Blocks(bytes) => {
            if scratch.len() < count * lines {
                scratch.resize(count * lines, bytemuck::Zeroable::zeroed());
            }
            let to = &mut scratch[..count * lines];
            unpack_panels(isa, weights.kind, blocks, bytes, first, to);
            to
        }
    }
}

/// Unpacks as many panels of `blocks` blocks as `to` holds, from panel `first` of the matrix on.
pub fn unpack_panels<I: Isa>(
    isa: I,
    kind: TensorType,
    blocks: usize,
    bytes: &[u8],
    first: usize,
    to: &mut [Line],
) {
    with_format!(kind, |F| {
        let weights = bytemuck::cast_slice(bytes);
        unpack_format::<I, F>(isa, blocks, weights, first, bytemuck::cast_slice_mut(to));
    });
}

/// As [`unpack_panels`]. Not inlined: once for each format is enough.
#[inline(never)]
fn unpack_format<I: Isa, F: Format>(
    isa: I,
    blocks: usize,
    weights: &[F::Block],
    first: usize,
    to: &mut [F::Panel],
) {
    let per_row = blocks / F::PARTS;
    isa.vectorize(
        #[inline(always)]
        || {
            for (p, panel) in to.chunks_exact_mut(blocks).enumerate() {
                let start = (first + p) * PANEL * per_row;
                let (here, next) = weights[start..].split_at(PANEL * per_row);
                let next: &[u8] = bytemuck::cast_slice(&next[..next.len().min(here.len())]);
                let share = size_of_val(here).div_ceil(blocks);
                for (b, to) in panel.iter_mut().enumerate() {
                    prefetch(isa, next, b * share..(b + 1) * share);
                    let rows = std::array::from_fn(|c| &here[c * per_row + b / F::PARTS]);
                    F::unpack(isa, rows, b % F::PARTS, to);
                }
            }
        },
    );
}

/// Prefetches a range of bytes, as far as they are there.
#[inline(always)]
fn prefetch<I: Isa>(isa: I, bytes: &[u8], range: std::ops::Range<usize>) {
    const LINE: usize = size_of::<Line>();
    let end = range.end.next_multiple_of(LINE).min(bytes.len());
    for line in (range.start..end).step_by(LINE) {
        isa.prefetch(&bytes[line..]);
    }
}
