//! Weight formats: how a tensor lies in the file, and the panels that the matmul kernels run on.
//!
//! A *panel* is sixteen output columns of a matrix, all `k` inputs long, in blocks of [`BLOCK`] inputs. There are two
//! kinds: [`IntPanel`] for block-quantised weights and [`FloatPanel`] for the float types. A format is one file here:
//! its block layout, its scalar decode and `unpack`, which turns sixteen rows of blocks into a panel.

mod float;
mod q8_0;

pub use float::{BF16, F16, F32};
pub use q8_0::Q8_0;

use crate::isa::{Isa, PANEL, Unit};
use bytemuck::Pod;

/// Inputs that share a scale, and the step of every kernel along `k`.
pub const BLOCK: usize = 32;

/// A weight format of the file.
pub trait Format: Copy + Send + Sync + 'static {
    /// [`BLOCK`] weights of one row, as the file has them.
    type Block: Pod + Send + Sync;
    /// What `unpack` makes.
    type Panel: Pod + Send + Sync;

    /// The weights of one block.
    fn decode(block: &Self::Block) -> [f32; BLOCK];
    /// Makes one block of a panel from the same block of sixteen rows.
    fn unpack<I: Isa>(isa: I, rows: [&Self::Block; PANEL], panel: &mut Self::Panel);
}

/// [`BLOCK`] inputs of sixteen columns: int8 weights in pairs along `k`, and each column's scale.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
pub struct IntPanel {
    /// `units[i]` holds inputs `2 i` and `2 i + 1`.
    pub units: [Unit; BLOCK / 2],
    /// One scale a column.
    pub scales: [f32; PANEL],
}

/// [`BLOCK`] inputs of sixteen columns as float32.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
pub struct FloatPanel {
    /// `weights[i]` holds input `i`.
    pub weights: [[f32; PANEL]; BLOCK],
}

/// Decodes one row of a matrix into `to`.
pub fn decode_row<F: Format>(row: &[F::Block], to: &mut [f32]) {
    for (block, to) in row.iter().zip(to.as_chunks_mut::<BLOCK>().0) {
        *to = F::decode(block);
    }
}
