//! IQ1_S: 256 weights of 1.56 bits each, in eight groups with a 3-bit scale, 50 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #5453). Eight weights at a time are an entry of a [grid](super::grids) of -1, 0 and 1.
//! All of a group are shifted by an eighth, up or down.

use super::bits::float16;
use super::grids::{self, ternary};

super::block_format! {
    /// The format: a grid of 2048 entries.
    IQ1_S, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The unit of the scales: float16.
    d: [u8; 2],
    /// For each eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// A word for each group of 32. From the lowest bit: the high 3 bits of its four indices, the 3 bits of the scale,
    /// and whether the shift is down.
    qh: [[u8; 2]; 8],
}

fn decode(block: &Block) -> [f32; 256] {
    let d = float16(block.d);
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let word = u16::from_le_bytes(block.qh[i / 4]);
        let scale = d * f32::from(2 * ((word >> 12) & 7) + 1);
        let high = (word >> (3 * (i % 4))) & 7;
        let entry = grids::IQ1[usize::from(u16::from(block.qs[i]) | (high << 8))];
        *to = ternary(scale, entry, word >> 15 == 1);
    }
    weights
}
