//! The weights: a model file, mapped, and typed views of its tensors.
//!
//! Tensors stay in the file's order and types. Nothing is read before it is used, and nothing is copied but the panels
//! that [`Weights::keep_panels`] is asked to keep.

#![allow(unsafe_code)]

use crate::isa::{Isa, PANEL};
use crate::kernels::unpack::{Matrix, unpack_panels};
use crate::pool::Pool;
use crate::quant::{
    BF16, BLOCK, F16, F32, IQ4_NL, IntPanel, Q4_0, Q5_0, Q8_0, decode_blocks, decode_row,
    runs_as_ints,
};
use memmap2::Mmap;
use monomorph_gguf::{Spec, Tensor, TensorType};
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// A mapped model file.
pub struct Weights {
    file: Mmap,
    /// Kept panels, by the tensor's offset in the file.
    kept: HashMap<u64, Vec<IntPanel>>,
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
        let mut panels: Vec<(Tensor, Vec<IntPanel>)> = matrices
            .map(|tensor| (tensor, panel_blocks(tensor)))
            .filter(|(_, blocks)| *blocks > 0)
            .map(|(tensor, blocks)| (tensor, bytemuck::allocation::zeroed_vec(blocks)))
            .collect();
        pool.enter(|team| {
            team.for_each(panels.iter_mut(), |_, (tensor, panels)| {
                let blocks = tensor.cols / BLOCK;
                isa.vectorize(
                    #[inline(always)]
                    || match self.matrix(*tensor) {
                        Matrix::Q8_0(all) => unpack_panels::<I, Q8_0>(isa, blocks, all, 0, panels),
                        Matrix::Q4_0(all) => unpack_panels::<I, Q4_0>(isa, blocks, all, 0, panels),
                        Matrix::Q5_0(all) => unpack_panels::<I, Q5_0>(isa, blocks, all, 0, panels),
                        Matrix::IQ4_NL(all) => {
                            unpack_panels::<I, IQ4_NL>(isa, blocks, all, 0, panels)
                        }
                        _ => unreachable!("only int panels are kept"),
                    },
                );
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
        if let Some(panels) = self.kept.get(&tensor.offset) {
            return Matrix::IntPanels(panels);
        }
        let bytes = self.tensor(tensor);
        match tensor.kind {
            TensorType::Q8_0 => Matrix::Q8_0(bytemuck::cast_slice(bytes)),
            TensorType::Q4_0 => Matrix::Q4_0(bytemuck::cast_slice(bytes)),
            TensorType::Q5_0 => Matrix::Q5_0(bytemuck::cast_slice(bytes)),
            TensorType::IQ4_NL => Matrix::IQ4_NL(bytemuck::cast_slice(bytes)),
            TensorType::F32 => Matrix::F32(bytemuck::cast_slice(bytes)),
            TensorType::F16 => Matrix::F16(bytemuck::cast_slice(bytes)),
            TensorType::BF16 => Matrix::BF16(bytemuck::cast_slice(bytes)),
            other => Matrix::Blocks(other, bytes),
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
        match tensor.kind {
            TensorType::Q8_0 => decode_row::<Q8_0>(bytemuck::cast_slice(row), to),
            TensorType::F32 => decode_row::<F32>(bytemuck::cast_slice(row), to),
            TensorType::F16 => decode_row::<F16>(bytemuck::cast_slice(row), to),
            TensorType::BF16 => decode_row::<BF16>(bytemuck::cast_slice(row), to),
            other => decode_blocks(other, row, to),
        }
    }
}

/// Blocks of panels that a matrix unpacks to, if it is one whose panels are kept.
fn panel_blocks(tensor: Tensor) -> usize {
    if runs_as_ints(tensor.kind) { tensor.rows / PANEL * tensor.cols / BLOCK } else { 0 }
}

/// Bytes that a matrix's panels take when they are kept.
pub fn panel_bytes(tensor: Tensor) -> u64 {
    (panel_blocks(tensor) * size_of::<IntPanel>()) as u64
}
