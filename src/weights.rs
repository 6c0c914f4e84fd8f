//! The weights: a model file, mapped, and typed views of its tensors.
//!
//! Tensors stay in the file's order and types. Nothing is read before it is used, and nothing is copied but the panels
//! that [`Weights::keep_panels`] is asked to keep.

#![allow(unsafe_code)]

use crate::isa::{Isa, PANEL};
use crate::kernels::unpack::Matrix;
use crate::pool::Pool;
use crate::quant::{BLOCK, Line, decode_blocks, panel_kind, unpack_panels};
use memmap2::{Advice, Mmap, MmapMut};
use monomorph_gguf::{Spec, Tensor};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;

/// A mapped model file.
pub struct Weights {
    file: Mmap,
    /// Panels that [`Weights::keep_panels`] unpacked, if it did.
    kept: Option<Kept>,
}

/// Panels in memory of their own.
struct Kept {
    memory: MmapMut,
    /// Where each matrix's lie, by the tensor's offset in the file.
    places: HashMap<u64, Range<usize>>,
}

impl Weights {
    /// Maps a file. The tensors that are asked for later must lie within it, as the gate checks.
    pub fn map(file: &File) -> io::Result<Weights> {
        // SAFETY: the mapping is private and read-only. Its bytes change only if another process writes into the
        // file in place, which no check here can exclude: the documentation of `Embedder::open` says that model
        // files are to be replaced by renaming. All views are of types for which any bytes are valid values.
        let file = unsafe { Mmap::map(file)? };
        Ok(Weights { file, kept: None })
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// Unpacks all integer weights and keeps them: later passes save that work and use this much private memory.
    pub fn keep_panels<I: Isa>(&mut self, isa: I, spec: &Spec, pool: &Pool) -> io::Result<()> {
        let mut places = HashMap::new();
        let mut end = 0;
        for matrix in spec.matrices() {
            let start = end;
            end += panel_bytes(matrix) as usize;
            places.insert(matrix.offset, start..end);
        }
        let mut memory = MmapMut::map_anon(end)?;
        // In pages of 4 KB, a pass over all panels spends a few percent of its time on looking up pages.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(Advice::HugePage);
        let mut rest: &mut [Line] = bytemuck::cast_slice_mut(&mut memory);
        let parts = spec.matrices().filter_map(|matrix| {
            let lines = panel_bytes(matrix) as usize / size_of::<Line>();
            rest.split_off_mut(..lines)
                .filter(|panels| !panels.is_empty())
                .map(|panels| (matrix, panels))
        });
        pool.enter(|team| {
            team.for_each(parts, |_, (matrix, panels)| {
                let (kind, bytes) = (matrix.kind, self.tensor(matrix));
                unpack_panels(isa, kind, matrix.cols / BLOCK, bytes, 0, panels);
            });
        });
        self.kept = Some(Kept { memory, places });
        Ok(())
    }

    /// Bytes of kept panels.
    pub fn kept_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.memory.len())
    }

    /// A tensor's bytes.
    fn tensor(&self, tensor: Tensor) -> &[u8] {
        &self.file[tensor.offset as usize..(tensor.offset + tensor.n_bytes) as usize]
    }

    /// A matrix, to multiply by.
    pub fn matrix(&self, tensor: Tensor) -> Matrix<'_> {
        let kept = self.kept.as_ref().and_then(|kept| kept.panels(tensor));
        match kept {
            Some(panels) => Matrix::panels(tensor.kind, panels),
            None => Matrix::blocks(tensor.kind, self.tensor(tensor)),
        }
    }

    /// A norm's gains. They are float32 at a multiple of four bytes, as the spec checks.
    pub fn norm(&self, tensor: Tensor) -> &[f32] {
        bytemuck::cast_slice(self.tensor(tensor))
    }

    /// Decodes one row of a matrix.
    pub fn decode_row(&self, tensor: Tensor, row: usize, to: &mut [f32]) {
        let bytes = tensor.n_bytes as usize / tensor.rows;
        let row = &self.tensor(tensor)[row * bytes..(row + 1) * bytes];
        decode_blocks(tensor.kind, row, to);
    }
}

impl Kept {
    /// A matrix's panels, if they are kept.
    fn panels(&self, matrix: Tensor) -> Option<&[Line]> {
        let place = self.places.get(&matrix.offset)?;
        (!place.is_empty()).then(|| bytemuck::cast_slice(&self.memory[place.clone()]))
    }
}

/// Bytes that a matrix's panels take when they are kept. Float panels are not: they are no faster than the file.
pub fn panel_bytes(tensor: Tensor) -> u64 {
    let kind = panel_kind(tensor.kind);
    let blocks = if kind.is_ints() { tensor.rows / PANEL * tensor.cols / BLOCK } else { 0 };
    (blocks * kind.block_bytes()) as u64
}
