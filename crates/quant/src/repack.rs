//! Repacks a matrix's blocks into panels.
//!
//! While a panel is repacked, the blocks of the next one (contiguous in the file) are prefetched.

use crate::{BLOCK, Format, Line, PanelKind, with_format};
use monomorph_gguf::TensorType;
use monomorph_simd::{Isa, PANEL, Unit};

/// Repacks as many panels of `blocks` blocks as `to` holds, starting with panel `first` of the matrix.
pub fn repack<I: Isa>(
    isa: I,
    kind: TensorType,
    blocks: usize,
    bytes: &[u8],
    first: usize,
    to: &mut [Line],
) {
    with_format!(kind, |F| {
        let weights = bytemuck::cast_slice(bytes);
        repack_format::<I, F>(isa, blocks, weights, first, bytemuck::cast_slice_mut(to));
    });
}

/// [`repack`] for one format. Not inlined, so that it is compiled only once per format.
#[inline(never)]
fn repack_format<I: Isa, F: Format>(
    isa: I,
    blocks: usize,
    weights: &[F::Block],
    first: usize,
    to: &mut [F::PanelBlock],
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
                    F::repack(isa, rows, b % F::PARTS, to);
                }
            }
        },
    );
}

/// Copies panels with two weights of a column together, as an image has them, so that as many are as the instruction
/// set wants.
pub fn arrange<I: Isa>(isa: I, kind: PanelKind, from: &[Line], to: &mut [Line]) {
    if !kind.is_ints() {
        to.copy_from_slice(from);
        return;
    }
    isa.vectorize(
        #[inline(always)]
        || {
            let lines = kind.block_lines();
            for (from, to) in from.chunks_exact(lines).zip(to.chunks_exact_mut(lines)) {
                // Every kind of block begins with its units.
                let (pairs, scales) = from.split_at(UNIT_LINES);
                let (units, to_scales) = to.split_at_mut(UNIT_LINES);
                let pairs: &[[Unit; BLOCK / 2]] = bytemuck::cast_slice(pairs);
                isa.arrange(&pairs[0], &mut bytemuck::cast_slice_mut(units)[0]);
                to_scales.copy_from_slice(scales);
            }
        },
    );
}

/// The lines of a block's units.
const UNIT_LINES: usize = size_of::<[Unit; BLOCK / 2]>() / size_of::<Line>();

/// Prefetches the part of a range that lies within `bytes`.
#[inline(always)]
fn prefetch<I: Isa>(isa: I, bytes: &[u8], range: std::ops::Range<usize>) {
    const LINE: usize = size_of::<Line>();
    let end = range.end.next_multiple_of(LINE).min(bytes.len());
    for line in (range.start..end).step_by(LINE) {
        isa.prefetch(&bytes[line..]);
    }
}
