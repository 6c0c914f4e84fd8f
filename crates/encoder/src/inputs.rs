//! The rows that a product reads: int16 with a scale for integer weights, floats for float weights, or both.

use crate::dim::Dim;
use crate::kernels::matmul::Rows;
use crate::kernels::quantize::{block_sums, quantize};
use crate::kernels::rms_norm::{rms_norm, rms_norm_quantize};
use crate::kernels::tile::BlockSums;
use crate::model::Model;
use crate::norm::NormView;
use monomorph_quant::{BLOCK, PanelKind};
use monomorph_simd::Isa;
use monomorph_spec::NormKind;

/// Buffers for input rows. They grow to fit the largest product and are then reused.
#[derive(Default)]
pub struct InputBuffers {
    ints: Vec<i16>,
    scales: Vec<f32>,
    sums: Vec<BlockSums>,
    floats: Vec<f32>,
}

/// Input rows. Forms that none of the model's weights need may be empty.
pub struct Inputs<'a> {
    ints: &'a mut [i16],
    scales: &'a mut [f32],
    sums: &'a mut [BlockSums],
    floats: &'a mut [f32],
}

/// The forms that the weights of a product need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    pub ints: bool,
    pub sums: bool,
    pub floats: bool,
}

/// Some neighbouring rows, to write to.
pub struct InputPart<'a> {
    ints: &'a mut [i16],
    scales: &'a mut [f32],
    sums: &'a mut [BlockSums],
    floats: &'a mut [f32],
    k: usize,
}

impl Want {
    /// The forms that panels of these kinds multiply.
    pub fn of_kinds(kinds: impl Iterator<Item = PanelKind>) -> Want {
        kinds.fold(Want::default(), |want, kind| Want {
            ints: want.ints || kind.is_ints(),
            sums: want.sums || kind.has_mins(),
            floats: want.floats || !kind.is_ints(),
        })
    }
}

impl InputBuffers {
    /// Makes room for `elements` elements in `rows` rows, in the wanted forms.
    pub fn grow(&mut self, rows: usize, elements: usize, want: Want) {
        let grow = |len: usize, need: bool| if need { len.max(elements) } else { len };
        self.ints.resize(grow(self.ints.len(), want.ints), 0);
        let sums = grow(self.sums.len() * BLOCK, want.sums) / BLOCK;
        self.sums.resize(sums, bytemuck::Zeroable::zeroed());
        self.floats.resize(grow(self.floats.len(), want.floats), 0.0);
        self.scales.resize(self.scales.len().max(rows), 0.0);
    }

    /// All rows.
    pub fn all(&mut self) -> Inputs<'_> {
        Inputs {
            ints: &mut self.ints,
            scales: &mut self.scales,
            sums: &mut self.sums,
            floats: &mut self.floats,
        }
    }
}

impl<'a> Inputs<'a> {
    /// Cuts off the space of the first `n` of the `rows` remaining rows. Buffers may be longer than the pass needs, so
    /// a row's space is computed from their length: as many whole blocks per row as they have, which are enough for the
    /// widest row.
    pub fn cut_off(&mut self, rows: usize, n: usize) -> Inputs<'a> {
        let blocks = |elements: usize| elements / BLOCK / rows * n;
        let (ints, floats) = (blocks(self.ints.len()), blocks(self.floats.len()));
        let sums = self.sums.len() / rows * n;
        Inputs {
            ints: take(&mut self.ints, ints * BLOCK),
            scales: take(&mut self.scales, n),
            sums: take(&mut self.sums, sums),
            floats: take(&mut self.floats, floats * BLOCK),
        }
    }

    /// The first `m` rows of `k` elements, for a product.
    pub fn for_product(&self, m: usize, k: usize, want: Want) -> Rows<'_> {
        let ints = if want.ints { &self.ints[..m * k] } else { &[] };
        let sums = if want.sums { &self.sums[..m * k / BLOCK] } else { &[] };
        let floats = if want.floats { &self.floats[..m * k] } else { &[] };
        Rows {
            m,
            ints: bytemuck::cast_slice(ints),
            scales: &self.scales[..m],
            sums,
            floats: bytemuck::cast_slice(floats),
        }
    }

    /// Rows of `k` elements, split into parts with the given numbers of rows.
    pub fn parts(
        &mut self,
        k: usize,
        want: Want,
        lengths: impl Iterator<Item = usize> + Send,
    ) -> impl Iterator<Item = InputPart<'_>> + Send {
        let mut ints = &mut *self.ints;
        let mut scales = &mut *self.scales;
        let mut sums = &mut *self.sums;
        let mut floats = &mut *self.floats;
        lengths.map(move |rows| InputPart {
            ints: take(&mut ints, if want.ints { rows * k } else { 0 }),
            scales: take(&mut scales, rows),
            sums: take(&mut sums, if want.sums { rows * k / BLOCK } else { 0 }),
            floats: take(&mut floats, if want.floats { rows * k } else { 0 }),
            k,
        })
    }
}

impl InputPart<'_> {
    /// Writes `norm(x)` to row `r`. `scratch` has space for a row.
    #[inline(always)]
    pub fn norm<I: Isa, M: Model, N: Dim>(
        &mut self,
        isa: I,
        n: N,
        r: usize,
        x: &[f32],
        norm: NormView<'_>,
        scratch: &mut [f32],
    ) {
        match norm.kind {
            NormKind::Rms(eps) if const { M::OPS.rms_norm } => {
                if let Some(q) = self.ints.get_mut(r * self.k..(r + 1) * self.k) {
                    self.scales[r] = rms_norm_quantize(isa, n, x, norm.gain, eps, q);
                    self.sum(isa, r);
                }
                if let Some(y) = self.floats.get_mut(r * self.k..(r + 1) * self.k) {
                    rms_norm(isa, n, x, norm.gain, eps, y);
                }
            }
            _ => {
                let row = &mut scratch[..n.size()];
                row.copy_from_slice(&x[..n.size()]);
                norm.in_place::<I, M, N>(isa, n, row);
                self.set(isa, n, r, row);
            }
        }
    }

    /// Writes `x` to row `r`, without a norm.
    #[inline(always)]
    pub fn set<I: Isa, N: Dim>(&mut self, isa: I, n: N, r: usize, x: &[f32]) {
        if let Some(q) = self.ints.get_mut(r * self.k..(r + 1) * self.k) {
            self.scales[r] = quantize(isa, n, x, q);
            self.sum(isa, r);
        }
        if let Some(y) = self.floats.get_mut(r * self.k..(r + 1) * self.k) {
            y.copy_from_slice(&x[..n.size()]);
        }
    }

    /// Sums the blocks of the quantised row `r`, if sums are wanted.
    #[inline(always)]
    fn sum<I: Isa>(&mut self, isa: I, r: usize) {
        let sums = r * self.k / BLOCK..(r + 1) * self.k / BLOCK;
        if let Some(sums) = self.sums.get_mut(sums) {
            block_sums(isa, &self.ints[r * self.k..(r + 1) * self.k], sums);
        }
    }
}

/// Cuts the first `n` elements off a slice.
pub fn take<'a, T>(from: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let (head, tail) = std::mem::take(from).split_at_mut(n);
    *from = tail;
    head
}
