//! Weight matrices as the panels that products run on, either kept or repacked on use.

use monomorph_gguf::TensorType;
use monomorph_quant::{Line, PanelKind, arrange, image, panel_kind, repack};
use monomorph_simd::{Isa, PANEL};

/// The right side of a product: a weight matrix of `n` outputs by `k` inputs, and the bias that is added to the
/// outputs.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    kind: TensorType,
    form: Form<'a>,
    bias: Option<&'a [f32]>,
}

#[derive(Clone, Copy)]
enum Form<'a> {
    /// As the file has it, row by row.
    Blocks(&'a [u8]),
    /// All panels, repacked.
    Panels(&'a [Line]),
    /// All panels, as the build puts them into an image.
    Image(&'a [Line]),
}

impl<'a> Matrix<'a> {
    /// A matrix as a file has it: whole blocks, row by row.
    pub fn blocks(kind: TensorType, bytes: &'a [u8]) -> Matrix<'a> {
        Matrix { kind, form: Form::Blocks(bytes), bias: None }
    }

    /// All panels of a matrix, as [`repack`] made them of its blocks for the instruction set that multiplies them.
    pub fn panels(kind: TensorType, panels: &'a [Line]) -> Matrix<'a> {
        Matrix { kind, form: Form::Panels(panels), bias: None }
    }

    /// All panels of a matrix, as [`image::panels`] made them.
    pub fn image(kind: TensorType, panels: &'a [Line]) -> Matrix<'a> {
        Matrix { kind, form: Form::Image(panels), bias: None }
    }

    /// The matrix with a bias of `n` values, if there is one.
    pub fn with_bias(self, bias: Option<&'a [f32]>) -> Matrix<'a> {
        Matrix { bias, ..self }
    }

    /// The bias of the columns from panel `first` on, with one element per panel.
    pub(super) fn bias(&self, first: usize) -> Option<&'a [[f32; PANEL]]> {
        self.bias.map(|bias| &bias.as_chunks().0[first..])
    }

    /// Whether it consists of panels already, so that no product repacks it.
    pub fn is_panels(&self) -> bool {
        matches!(self.form, Form::Panels(_) | Form::Image(_))
    }

    /// The kind of its panels.
    pub fn panel_kind(&self) -> PanelKind {
        panel_kind(self.kind)
    }
}

/// Buffers of a product. They grow to fit the largest group, and the most rows, and are then reused.
#[derive(Default)]
pub struct PanelScratch {
    /// A group of the matrix, repacked on use.
    pub(super) group: Vec<Line>,
    /// The up projections of all rows for a group, until they are multiplied by their gates.
    pub(super) ups: Vec<f32>,
}

/// The `count` panels of `blocks` blocks from panel `first` on: kept panels, with all that follow them, or panels
/// repacked into `scratch`. That is also where an image's panels go if the instruction set has the weights of a column
/// in another order.
pub(super) fn repacked<'a, I: Isa>(
    isa: I,
    blocks: usize,
    weights: Matrix<'a>,
    first: usize,
    count: usize,
    scratch: &'a mut Vec<Line>,
) -> &'a [Line] {
    let kind = weights.panel_kind();
    let lines = blocks * kind.block_lines();
    match weights.form {
        Form::Panels(all) => &all[first * lines..],
        Form::Image(all) if I::STEP == image::STEP || !kind.is_ints() => &all[first * lines..],
        Form::Image(all) => {
            let to = grown(scratch, count * lines);
            arrange(isa, kind, &all[first * lines..][..count * lines], to);
            to
        }
        Form::Blocks(bytes) => {
            let to = grown(scratch, count * lines);
            repack(isa, weights.kind, blocks, bytes, first, to);
            to
        }
    }
}

/// The first `lines` lines of a buffer, which grows if it has fewer.
fn grown(scratch: &mut Vec<Line>, lines: usize) -> &mut [Line] {
    if scratch.len() < lines {
        scratch.resize(lines, bytemuck::Zeroable::zeroed());
    }
    &mut scratch[..lines]
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use monomorph_quant::{BLOCK, FORMATS};
    use monomorph_simd::{Scalar, for_each_isa};
    use monomorph_testing::random_blocks::random_blocks;

    /// Two panels of 512 inputs: two of the longest blocks.
    const ROWS: usize = 2 * PANEL;
    const COLS: usize = 512;

    /// In random blocks scales are finite, but minima and floats need not be, so bytes are compared and not values.
    #[test]
    fn every_instruction_set_makes_the_same_panels() {
        for kind in FORMATS.iter().copied() {
            let bytes = random_blocks(kind, ROWS * COLS / kind.block_len() as usize, 3);
            let blocks = COLS / BLOCK;
            let filled = |fill: &dyn Fn(&mut [Line])| {
                let lines = ROWS / PANEL * blocks * panel_kind(kind).block_lines();
                let mut panels = vec![Line::zeroed(); lines];
                fill(&mut panels);
                panels
            };
            let scalar = Scalar::detect().expect("it runs everywhere");
            let pairs = filled(&|to| repack(scalar, kind, blocks, &bytes, 0, to));
            for_each_isa!(|isa| {
                let want = filled(&|to| arrange(isa, panel_kind(kind), &pairs, to));
                let got = filled(&|to| repack(isa, kind, blocks, &bytes, 0, to));
                let [got, want]: [&[u8]; 2] = [&got, &want].map(|p| bytemuck::cast_slice(p));
                assert!(got == want, "{kind}");
            });
        }
    }
}
