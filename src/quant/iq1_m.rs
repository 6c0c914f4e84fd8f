//! IQ1_M: 256 weights of 1.75 bits each, in sixteen groups with a 3-bit scale, 56 bytes.
//!
//! By Iwan Kawrakow (llama.cpp #6302): IQ1_S with more scales, and a shift for each eight weights.

use super::bits::{float16, nibble};
use super::grids::{self, ternary};

super::block_format! {
    /// The format: a grid of 2048 entries, more scales.
    IQ1_M, 256
}

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// For each eight weights, the low 8 bits of the index into the grid.
    qs: [u8; 32],
    /// For each eight weights a nibble: the high 3 bits of the index, and whether the shift is down.
    qh: [u8; 16],
    /// In each word, from the lowest bit: the 3-bit scales of four groups of 16, then 4 bits of the unit of the scales,
    /// a float16 of which the first word has the lowest bits.
    scales: [[u8; 2]; 4],
}

fn decode(block: &Block) -> [f32; 256] {
    let words = block.scales.map(u16::from_le_bytes);
    let d = words.iter().rev().fold(0, |d, word| (d << 4) | (word >> 12));
    let d = float16(d.to_le_bytes());
    let mut weights = [0.0; 256];
    for (i, to) in weights.as_chunks_mut().0.iter_mut().enumerate() {
        let group = i / 2;
        let scale = d * f32::from(2 * ((words[group / 4] >> (3 * (group % 4))) & 7) + 1);
        let high = nibble(block.qh[i / 2], i % 2);
        let entry = grids::IQ1[usize::from(u16::from_le_bytes([block.qs[i], high & 7]))];
        *to = ternary(scale, entry, high & 8 != 0);
    }
    weights
}
