//! Weight matrices as the panels that products run on: kept since they were unpacked, or unpacked on use.
//!
//! While a panel is unpacked, the next one's blocks (contiguous in the file) are prefetched.

use crate::dim::Dim;
use crate::isa::{Isa, PANEL};
use crate::quant::{
    BF16, BLOCK, F16, F32, FloatPanel, Format, IQ4_NL, IntPanel, Q4_0, Q5_0, Q8_0, decode_blocks,
};
use monomorph_gguf::TensorType;

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
    pub(super) ints: [Vec<IntPanel>; 2],
    pub(super) floats: [Vec<FloatPanel>; 2],
}

/// A group of panels, ready to run on; more of the matrix may follow.
pub(super) enum Group<'a> {
    Ints(&'a [IntPanel]),
    Floats(&'a [FloatPanel]),
}

/// The `count` panels from `first` on: as they were kept, or unpacked into the scratch.
#[inline(always)]
pub(super) fn unpack<'a, I: Isa, K: Dim>(
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
