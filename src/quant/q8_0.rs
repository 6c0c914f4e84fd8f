//! Q8_0: 32 int8 weights with one float16 scale, 34 bytes.

use super::{BLOCK, Format, IntPanel};
use crate::isa::{Isa, PANEL};
use half::f16;
use std::array::from_fn;

/// The format.
#[derive(Clone, Copy, Debug)]
pub struct Q8_0;

/// A block as the file has it.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C)]
pub struct Block {
    /// The scale: float16, little-endian.
    d: [u8; 2],
    /// The weights, to be multiplied by the scale.
    qs: [i8; BLOCK],
}

impl Block {
    #[inline(always)]
    fn scale(&self) -> f32 {
        f16::from_le_bytes(self.d).to_f32()
    }
}

impl Format for Q8_0 {
    type Block = Block;
    type Panel = IntPanel;

    fn decode(block: &Block) -> [f32; BLOCK] {
        let d = block.scale();
        block.qs.map(|q| d * f32::from(q))
    }

    #[inline(always)]
    fn unpack<I: Isa>(isa: I, rows: [&Block; PANEL], panel: &mut IntPanel) {
        isa.transpose_pairs(from_fn(|c| &rows[c].qs), &mut panel.units);
        isa.widen_f16(from_fn(|c| u16::from_le_bytes(rows[c].d)), &mut panel.scales);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::for_each_isa;

    fn block(seed: usize) -> Block {
        Block {
            d: f16::from_f32(0.01 * (seed as f32 - 7.5)).to_le_bytes(),
            qs: std::array::from_fn(|i| (i * 37 + seed * 101) as u8 as i8),
        }
    }

    #[test]
    fn unpack_puts_every_weight_where_decode_finds_it() {
        for_each_isa!(|isa| {
            let blocks: [Block; PANEL] = std::array::from_fn(block);
            let mut panel: IntPanel = bytemuck::Zeroable::zeroed();
            isa.vectorize(|| Q8_0::unpack(isa, blocks.each_ref(), &mut panel));
            for (c, block) in blocks.iter().enumerate() {
                let want = Q8_0::decode(block);
                for k in 0..BLOCK {
                    let got = panel.scales[c] * f32::from(panel.units[k / 2][2 * c + k % 2]);
                    assert_eq!(got.to_bits(), want[k].to_bits(), "column {c}, input {k}");
                }
            }
        });
    }

    #[test]
    fn a_block_is_34_bytes() {
        assert_eq!(size_of::<Block>(), 34);
    }
}
