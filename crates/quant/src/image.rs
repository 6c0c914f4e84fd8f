//! The image of a model's weights inside an executable or a packed file: written once, and used in place.
//!
//! Both sides take the layout from here. Tensors follow each other in order of use, each at a multiple of [`ALIGNMENT`]
//! bytes: first the token table, so that it begins on a page boundary, and the other embeddings, then the layers, the
//! output norm and the dense heads. Matrices are stored in the form that the build chose, everything else as in the file.

use crate::{BLOCK, Line, panel_kind, repack};
use monomorph_simd::{Isa, PANEL, Scalar};
use monomorph_spec::{Role, Spec, Tensor};

/// The alignment of every tensor in bytes: a cache line, which is the unit that panels are made of.
pub const ALIGNMENT: u64 = size_of::<Line>() as u64;

/// How many weights of a column lie together in the image's panels.
pub const STEP: usize = Scalar::STEP;

/// How an image stores matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As panels, which products read in place: a byte or more for each weight, whatever it takes in the file.
    Panels,
    /// As the blocks of the file, which have to be repacked when the model is opened or in each product.
    Blocks,
}

/// A tensor in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The tensor as the file has it.
    pub tensor: Tensor,
    /// Whether it is stored as panels; otherwise it has the file's own bytes.
    pub is_panels: bool,
    /// Its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub n_bytes: u64,
}

/// The tensors of a model's image, first to last.
pub fn layout(spec: &Spec, form: Form) -> Vec<Stored> {
    let mut tensors: Vec<Stored> = Vec::new();
    for (_, tensor) in spec.tensors() {
        let end = tensors.last().map_or(0, Stored::end);
        let is_panels = form == Form::Panels && tensor.role == Role::Matrix;
        tensors.push(Stored::behind(end, tensor, is_panels));
    }
    tensors
}

/// Length of the image of these tensors, in bytes.
pub fn length(tensors: &[Stored]) -> u64 {
    tensors.last().map_or(0, |last| last.end().next_multiple_of(ALIGNMENT))
}

/// All panels of a matrix, repacked from its blocks.
pub fn panels(tensor: Tensor, blocks: &[u8]) -> Vec<Line> {
    let lines = panel_bytes(tensor) as usize / size_of::<Line>();
    let mut panels = vec![bytemuck::Zeroable::zeroed(); lines];
    let Some(scalar) = Scalar::detect() else { unreachable!("plain Rust runs everywhere") };
    repack(scalar, tensor.kind, tensor.cols / BLOCK, blocks, 0, &mut panels);
    panels
}

/// Bytes of a matrix's panels. Those of floats hold float32: a text of 12 tokens spends two thirds of its time on making
/// them.
fn panel_bytes(tensor: Tensor) -> u64 {
    let blocks = tensor.rows / PANEL * tensor.cols / BLOCK;
    (blocks * panel_kind(tensor.kind).block_bytes()) as u64
}

impl Stored {
    fn behind(end: u64, tensor: Tensor, is_panels: bool) -> Stored {
        let n_bytes = if is_panels { panel_bytes(tensor) } else { tensor.n_bytes };
        Stored { tensor, is_panels, offset: end.next_multiple_of(ALIGNMENT), n_bytes }
    }

    /// The first byte after it.
    pub fn end(&self) -> u64 {
        self.offset + self.n_bytes
    }
}
