//! F32, F16 and BF16: weights as plain floats, unpacked to float32 panels.

use super::{BLOCK, FloatPanel, Format};
use crate::isa::{Isa, PANEL};
use half::{bf16, f16};

/// Float32 weights.
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// IEEE half-precision weights.
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// Brain-float weights: the upper half of a float32.
#[derive(Clone, Copy, Debug)]
pub struct BF16;

macro_rules! float_format {
    ($format:ty, $bytes:literal, $to_f32:expr) => {
        impl Format for $format {
            type Block = [[u8; $bytes]; BLOCK];
            type Panel = FloatPanel;

            fn decode(block: &Self::Block) -> [f32; BLOCK] {
                block.map($to_f32)
            }

            #[inline(always)]
            fn unpack<I: Isa>(_: I, rows: [&Self::Block; PANEL], panel: &mut FloatPanel) {
                for (k, to) in panel.weights.iter_mut().enumerate() {
                    for (c, to) in to.iter_mut().enumerate() {
                        *to = $to_f32(rows[c][k]);
                    }
                }
            }
        }
    };
}

float_format!(F32, 4, f32::from_le_bytes);
float_format!(F16, 2, |b| f16::from_le_bytes(b).to_f32());
float_format!(BF16, 2, |b| bf16::from_le_bytes(b).to_f32());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::for_each_isa;

    fn unpack_equals_decode<F: Format<Panel = FloatPanel>>(blocks: [F::Block; PANEL]) {
        for_each_isa!(|isa| {
            let mut panel: FloatPanel = bytemuck::Zeroable::zeroed();
            isa.vectorize(|| F::unpack(isa, blocks.each_ref(), &mut panel));
            for (c, block) in blocks.iter().enumerate() {
                for (k, want) in F::decode(block).into_iter().enumerate() {
                    assert_eq!(panel.weights[k][c].to_bits(), want.to_bits());
                }
            }
        });
    }

    fn value(c: usize, k: usize) -> f32 {
        (c as f32 - 8.0) * 0.125 + k as f32
    }

    #[test]
    fn unpack_puts_every_weight_where_decode_finds_it() {
        let floats = |c| std::array::from_fn(|k| value(c, k).to_le_bytes());
        unpack_equals_decode::<F32>(std::array::from_fn(floats));
        let halves = |c| std::array::from_fn(|k| f16::from_f32(value(c, k)).to_le_bytes());
        unpack_equals_decode::<F16>(std::array::from_fn(halves));
        let brains = |c| std::array::from_fn(|k| bf16::from_f32(value(c, k)).to_le_bytes());
        unpack_equals_decode::<BF16>(std::array::from_fn(brains));
    }

    #[test]
    fn decodes_known_values() {
        assert_eq!(F16::decode(&[[0x00, 0x3c]; BLOCK])[0], 1.0);
        assert_eq!(BF16::decode(&[[0x80, 0xbf]; BLOCK])[31], -1.0);
    }
}
