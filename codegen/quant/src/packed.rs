//! A model's weights as they lie inside an executable: what the build writes and the runtime uses in place.
//!
//! Both sides take the layout from here and neither repeats it. Tensors follow each other in the order of their use,
//! each at a multiple of [`ALIGNMENT`] bytes: the token table first, so that it begins a page; then the layers, the
//! output norm and the dense heads. Matrices of integers are panels already, everything else is as the file has it.

use crate::isa::{Isa, PANEL, Scalar};
use crate::{BLOCK, Line, panel_kind, unpack_panels};
use monomorph_gguf::{Spec, Tensor};

/// Every tensor begins at a multiple of so many bytes: a cache line, which is what panels are made of.
pub const ALIGNMENT: u64 = size_of::<Line>() as u64;

/// Where a tensor lies, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The tensor as the file has it.
    pub tensor: Tensor,
    /// Whether it is panels, or the file's own bytes.
    pub is_panels: bool,
    /// Its first byte.
    pub offset: u64,
    /// Its length in bytes.
    pub n_bytes: u64,
}

/// The places of a model's tensors, first to last.
pub fn layout(spec: &Spec) -> Vec<Place> {
    let layers = spec.layers.iter().flat_map(|layer| layer.named()).map(|(_, tensor)| tensor);
    let behind = layers.chain([spec.output_norm]).chain(spec.dense.iter().copied());
    // Of the token table single rows are decoded, as the file has them.
    let mut places = vec![Place::behind(0, spec.token_embd, false)];
    for tensor in behind {
        let end = places.last().map_or(0, Place::end);
        places.push(Place::behind(end, tensor, panel_bytes(tensor) > 0));
    }
    places
}

/// Length of the weights with these places, in bytes.
pub fn length(places: &[Place]) -> u64 {
    places.last().map_or(0, |last| last.end().next_multiple_of(ALIGNMENT))
}

/// All panels of a matrix of integers, made of its blocks.
pub fn panels(tensor: Tensor, blocks: &[u8]) -> Vec<Line> {
    let lines = panel_bytes(tensor) as usize / size_of::<Line>();
    let mut panels = vec![bytemuck::Zeroable::zeroed(); lines];
    let Some(scalar) = Scalar::detect() else { unreachable!("plain Rust runs everywhere") };
    unpack_panels(scalar, tensor.kind, tensor.cols / BLOCK, blocks, 0, &mut panels);
    panels
}

/// Bytes of a matrix's panels, where it is worth having them ready. Float panels are not: they are no faster than the
/// file.
fn panel_bytes(tensor: Tensor) -> u64 {
    let kind = panel_kind(tensor.kind);
    let blocks = if kind.is_ints() { tensor.rows / PANEL * tensor.cols / BLOCK } else { 0 };
    (blocks * kind.block_bytes()) as u64
}

impl Place {
    fn behind(end: u64, tensor: Tensor, is_panels: bool) -> Place {
        let n_bytes = if is_panels { panel_bytes(tensor) } else { tensor.n_bytes };
        Place { tensor, is_panels, offset: end.next_multiple_of(ALIGNMENT), n_bytes }
    }

    /// The first byte behind it.
    pub fn end(&self) -> u64 {
        self.offset + self.n_bytes
    }
}
