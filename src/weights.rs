//! The weights: a model file, mapped, and typed views of its tensors.
//!
//! Tensors stay in the file's order and types. Nothing is read before it is used, and nothing is copied but the panels
//! that [`Weights::keep_panels`] is asked to keep.

#![allow(unsafe_code)]

use crate::isa::{Isa, PANEL};
use crate::kernels::unpack::{Matrix, unpack_panels};
use crate::pool::Pool;
use crate::quant::{BLOCK, Line, decode_blocks, panel_kind};
use memmap2::Mmap;
use monomorph_gguf::{Spec, Tensor};
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// A mapped model file.
pub struct Weights {
    file: Mmap,
    /// Kept panels, by the tensor's offset in the file.
    kept: HashMap<u64, Vec<Line>>,
}

impl Weights {
    /// Maps a file. The tensors that are asked for later must lie within it, as the gate checks.
    pub fn map(file: &File) -> io::Result<Weights> {
        // SAFETY: the mapping is private and read-only. Its bytes change only if another process writes into the
        // file in place, which no check here can exclude: the documentation of `Embedder::open` says that model
        // files are to be replaced by renaming. All views are of types for which any bytes are valid values.
        let file = unsafe { Mmap::map(file)? };
        Ok(Weights { file, kept: HashMap::new() })
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// Unpacks all integer weights of the layers and keeps them: later passes save that work and use this much
    /// private memory.
    pub fn keep_panels<I: Isa>(&mut self, isa: I, spec: &Spec, pool: &Pool) {
        let matrices = spec.layers.iter().flat_map(|layer| layer.matrices());
        let mut panels: Vec<(Tensor, Vec<Line>)> = matrices
            .map(|tensor| (tensor, panel_bytes(tensor) as usize / size_of::<Line>()))
            .filter(|(_, lines)| *lines > 0)
            .map(|(tensor, lines)| (tensor, bytemuck::allocation::zeroed_vec(lines)))
            .collect();
        pool.enter(|team| {
            team.for_each(panels.iter_mut(), |_, (tensor, panels)| {
                let (kind, bytes) = (tensor.kind, self.tensor(*tensor));
                unpack_panels(isa, kind, tensor.cols / BLOCK, bytes, 0, panels);
            });
        });
        self.kept = panels.into_iter().map(|(tensor, panels)| (tensor.offset, panels)).collect();
    }

    /// Bytes of kept panels.
    pub fn kept_bytes(&self) -> usize {
        self.kept.values().map(|panels| size_of_val(panels.as_slice())).sum()
    }

    /// A tensor's bytes.
    fn tensor(&self, tensor: Tensor) -> &[u8] {
        &self.file[tensor.offset as usize..(tensor.offset + tensor.n_bytes) as usize]
    }

    /// A matrix, to multiply by.
    pub fn matrix(&self, tensor: Tensor) -> Matrix<'_> {
        match self.kept.get(&tensor.offset) {
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

/// Bytes that a matrix's panels take when they are kept. Float panels are not: they are no faster than the file.
pub fn panel_bytes(tensor: Tensor) -> u64 {
    let kind = panel_kind(tensor.kind);
    let blocks = if kind.is_ints() { tensor.rows / PANEL * tensor.cols / BLOCK } else { 0 };
    (blocks * kind.block_bytes()) as u64
}
