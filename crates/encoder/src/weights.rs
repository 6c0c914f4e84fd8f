//! The weights: a model file, mapped, or what the build put into the executable, and typed views of the tensors.
//!
//! In a file, tensors stay in its order and types; inside the executable they lie as [`image`](monomorph_quant::image)
//! says. Nothing is read before it is used, and nothing is copied but the panels that [`Weights::keep_panels`] is asked
//! to keep.

#![allow(unsafe_code)]

use crate::kernels::matrix::Matrix;
use crate::threads::Threads;
use memmap2::{Mmap, MmapMut};
use monomorph_quant::image::{Stored, layout};
use monomorph_quant::{BLOCK, Line, decode_blocks, repack};
use monomorph_simd::Isa;
use monomorph_spec::{Spec, Tensor};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;

/// A model's weights. Tensors go by their offset in the file, wherever they are.
pub struct Weights {
    home: Home,
}

enum Home {
    /// A file, and its panels that are kept.
    File { file: Mmap, kept: Option<Kept> },
    /// The image inside this executable.
    Image { bytes: &'static [u8], tensors: HashMap<u64, Stored> },
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
        Ok(Weights { home: Home::File { file, kept: None } })
    }

    /// The image that a build wrote of a model's weights; it begins at a multiple of
    /// [`ALIGNMENT`](monomorph_quant::image::ALIGNMENT).
    pub fn image(spec: &Spec, bytes: &'static [u8]) -> Weights {
        let tensors =
            layout(spec).into_iter().map(|stored| (stored.tensor.offset, stored)).collect();
        Weights { home: Home::Image { bytes, tensors } }
    }

    /// All bytes, of the file or of the image.
    pub fn bytes(&self) -> &[u8] {
        match &self.home {
            Home::File { file, .. } => file,
            Home::Image { bytes, .. } => bytes,
        }
    }

    /// Repacks all matrices of integers into panels and keeps them: later passes save that work, and the process
    /// takes this much private memory. An image holds panels already.
    pub fn keep_panels<I: Isa>(
        &mut self,
        isa: I,
        spec: &Spec,
        threads: &Threads,
    ) -> io::Result<()> {
        let Home::File { file, kept } = &mut self.home else { return Ok(()) };
        let matrices = || layout(spec).into_iter().filter(|stored| stored.is_panels);
        let mut places = HashMap::new();
        let mut end = 0;
        for matrix in matrices() {
            let start = end;
            end += matrix.n_bytes as usize;
            places.insert(matrix.tensor.offset, start..end);
        }
        let mut memory = MmapMut::map_anon(end)?;
        // In pages of 4 KB, a pass over all panels spends a few percent of its time on looking up pages.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        let mut rest: &mut [Line] = bytemuck::cast_slice_mut(&mut memory);
        let parts = matrices().filter_map(|matrix| {
            let panels = rest.split_off_mut(..matrix.n_bytes as usize / size_of::<Line>())?;
            Some((matrix.tensor, panels))
        });
        threads.enter(|team| {
            team.for_each(parts, |_, (tensor, panels)| {
                let blocks = in_file(file, tensor);
                repack(isa, tensor.kind, tensor.cols / BLOCK, blocks, 0, panels);
            });
        });
        *kept = Some(Kept { memory, places });
        Ok(())
    }

    /// Bytes of kept panels.
    pub fn kept_bytes(&self) -> usize {
        match &self.home {
            Home::File { kept: Some(kept), .. } => kept.memory.len(),
            Home::File { kept: None, .. } | Home::Image { .. } => 0,
        }
    }

    /// A tensor's bytes, which are panels where the image has them so.
    fn tensor(&self, tensor: Tensor) -> &[u8] {
        match &self.home {
            Home::File { file, .. } => in_file(file, tensor),
            Home::Image { bytes, tensors } => {
                let stored = &tensors[&tensor.offset];
                &bytes[stored.offset as usize..stored.end() as usize]
            }
        }
    }

    /// A matrix, to multiply by.
    pub fn matrix(&self, tensor: Tensor) -> Matrix<'_> {
        let panels = match &self.home {
            Home::File { kept, .. } => kept.as_ref().and_then(|kept| kept.panels(tensor)),
            Home::Image { tensors, .. } => {
                tensors[&tensor.offset].is_panels.then(|| bytemuck::cast_slice(self.tensor(tensor)))
            }
        };
        match panels {
            Some(panels) => Matrix::panels(tensor.kind, panels),
            None => Matrix::blocks(tensor.kind, self.tensor(tensor)),
        }
    }

    /// A norm's gains. They are float32 at a multiple of four bytes, as the spec checks.
    pub fn norm(&self, tensor: Tensor) -> &[f32] {
        bytemuck::cast_slice(self.tensor(tensor))
    }

    /// Decodes one row of a matrix that is not in panels.
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
        Some(bytemuck::cast_slice(&self.memory[place.clone()]))
    }
}

fn in_file(file: &Mmap, tensor: Tensor) -> &[u8] {
    &file[tensor.offset as usize..(tensor.offset + tensor.n_bytes) as usize]
}

#[cfg(test)]
mod tests;
