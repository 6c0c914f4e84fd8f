//! The weights, either a model file or the image that a build put into the executable or `monomorph pack` into a file,
//! and typed views of the tensors.
//!
//! In a file, tensors keep its order and types; an [`image`](monomorph_quant::image) holds matrices as panels or as the
//! file does.
//! Nothing is read before it is used, and nothing is copied except the panels that [`Weights::keep_panels`] makes. The
//! place of each tensor is looked up only once, with [`Weights::locate`], when the model is opened.

mod memory;

use crate::kernels::matrix::Matrix;
use crate::threads::Threads;
use memory::{Memory, Private};
use monomorph_gguf::TensorType;
use monomorph_quant::image::{Form, Stored, layout};
use monomorph_quant::{BLOCK, Line, decode_blocks, repack};
use monomorph_simd::Isa;
use monomorph_spec::fields::Leaf;
use monomorph_spec::{Linear, Spec, Tensor};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;

/// A model's weights.
pub struct Weights {
    memory: Memory,
    home: Home,
    /// The panels that are kept, if any.
    kept: Option<Private>,
    /// Where a tensor's panels lie, in the image or among the kept panels, by the tensor's offset in the file.
    panels: HashMap<u64, Range<usize>>,
}

enum Home {
    /// A model file.
    File,
    /// An image, in which the tensors that are not panels lie here, by their offsets in the file.
    Image(HashMap<u64, Range<usize>>),
}

/// A tensor of the model, found in its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Located {
    kind: TensorType,
    /// Rows: outputs of a matrix, 1 for a vector.
    pub rows: usize,
    /// Whether its bytes are panels, kept or in an image; otherwise they are the file's own.
    is_panels: bool,
    start: usize,
    end: usize,
}

impl Leaf for Located {}

impl Weights {
    /// Maps a model file. The tensors that are located later must lie inside it, which the gate checks.
    pub fn map(file: &File) -> io::Result<Weights> {
        Memory::map(file).map(Weights::in_file)
    }

    /// A model file's bytes. They are copied unless they begin at a multiple of
    /// [`ALIGNMENT`](monomorph_quant::image::ALIGNMENT).
    pub fn of_bytes(bytes: Cow<'static, [u8]>) -> io::Result<Weights> {
        Memory::of(bytes).map(Weights::in_file)
    }

    /// The image that a build wrote of a model's weights, in this form. `bytes` must begin at a multiple of
    /// [`ALIGNMENT`](monomorph_quant::image::ALIGNMENT).
    pub fn image(spec: &Spec, form: Form, bytes: &'static [u8]) -> Weights {
        Weights::in_file(Memory::Given(bytes.into())).into_image(spec, form, 0)
    }

    fn in_file(memory: Memory) -> Weights {
        Weights { memory, home: Home::File, kept: None, panels: HashMap::new() }
    }

    /// The same bytes, as those of an image in this form that begins at byte `start`, a multiple of
    /// [`ALIGNMENT`](monomorph_quant::image::ALIGNMENT).
    pub fn into_image(self, spec: &Spec, form: Form, start: usize) -> Weights {
        let (panels, tensors): (Vec<Stored>, Vec<Stored>) =
            layout(spec, form).into_iter().partition(|stored| stored.is_panels);
        let ranges = |list: Vec<Stored>| -> HashMap<u64, Range<usize>> {
            let range = |at: &Stored| start + at.offset as usize..start + at.end() as usize;
            list.iter().map(|stored| (stored.tensor.offset, range(stored))).collect()
        };
        Weights { home: Home::Image(ranges(tensors)), panels: ranges(panels), ..self }
    }

    /// All bytes, of the file or of the image.
    pub fn bytes(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// Repacks all matrices into panels and keeps them, so that later passes save that work. They take
    /// [`Weights::kept_bytes`] of private memory. If an image holds panels already, nothing is done. Tensors must be
    /// located again afterwards.
    pub fn keep_panels<I: Isa>(
        &mut self,
        isa: I,
        spec: &Spec,
        threads: &Threads,
    ) -> io::Result<()> {
        if matches!(self.home, Home::Image(_)) && !self.panels.is_empty() {
            return Ok(());
        }
        let matrices = || layout(spec, Form::Panels).into_iter().filter(|stored| stored.is_panels);
        let (mut panels, mut end) = (HashMap::new(), 0);
        for matrix in matrices() {
            let start = end;
            end += matrix.n_bytes as usize;
            panels.insert(matrix.tensor.offset, start..end);
        }
        let mut memory = Private::new(end)?;
        let mut rest = memory.lines_mut();
        let parts = matrices().filter_map(|matrix| {
            let lines = rest.split_off_mut(..matrix.n_bytes as usize / size_of::<Line>())?;
            Some((matrix.tensor, lines))
        });
        threads.enter(|team| {
            team.for_each(parts, |_, (tensor, lines)| {
                let blocks = &self.bytes()[self.home.place(&tensor)];
                repack(isa, tensor.kind, tensor.cols / BLOCK, blocks, 0, lines);
            });
        });
        // Only now, and together: without the memory, tensors must still be located in the file.
        self.kept = Some(memory);
        self.panels = panels;
        Ok(())
    }

    /// Bytes of kept panels.
    pub fn kept_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |memory| memory.bytes().len())
    }

    /// Finds a tensor, whose offset must count from the start of the file.
    pub fn locate(&self, tensor: &Tensor) -> Located {
        let panels = self.panels.get(&tensor.offset).cloned();
        let is_panels = panels.is_some();
        let Range { start, end } = panels.unwrap_or_else(|| self.home.place(tensor));
        Located { kind: tensor.kind, rows: tensor.rows, is_panels, start, end }
    }

    /// A located tensor's bytes.
    fn tensor(&self, at: Located) -> &[u8] {
        let bytes: &[u8] = match &self.kept {
            Some(memory) if at.is_panels => memory.bytes(),
            _ => self.bytes(),
        };
        &bytes[at.start..at.end]
    }

    /// A tensor's bytes, and whether they are panels.
    pub fn stored(&self, tensor: &Tensor) -> (&[u8], bool) {
        let at = self.locate(tensor);
        (self.tensor(at), at.is_panels)
    }

    /// A matrix with its bias, for a product.
    pub fn matrix(&self, linear: Linear<Located>) -> Matrix<'_> {
        let (kind, bytes) = (linear.weight.kind, self.tensor(linear.weight));
        let matrix = match (linear.weight.is_panels, &self.kept) {
            (true, Some(_)) => Matrix::panels(kind, bytemuck::cast_slice(bytes)),
            (true, None) => Matrix::image(kind, bytemuck::cast_slice(bytes)),
            (false, _) => Matrix::blocks(kind, bytes),
        };
        matrix.with_bias(linear.bias.map(|bias| self.vector(bias)))
    }

    /// Gains or biases. They are float32, which the spec checks, at a multiple of four bytes: alignments below 8 are
    /// refused with the header.
    pub fn vector(&self, at: Located) -> &[f32] {
        bytemuck::cast_slice(self.tensor(at))
    }

    /// Decodes one row of a table.
    pub fn decode_row(&self, table: Located, row: usize, to: &mut [f32]) {
        let bytes = (table.end - table.start) / table.rows;
        let row = &self.tensor(table)[row * bytes..(row + 1) * bytes];
        decode_blocks(table.kind, row, to);
    }
}

impl Home {
    /// Where a tensor lies that is not among the panels.
    fn place(&self, tensor: &Tensor) -> Range<usize> {
        match self {
            Home::File => tensor.offset as usize..(tensor.offset + tensor.n_bytes) as usize,
            Home::Image(tensors) => tensors[&tensor.offset].clone(),
        }
    }
}

#[cfg(test)]
mod tests;
