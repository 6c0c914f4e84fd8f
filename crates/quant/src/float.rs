//! F32, F16 and BF16: plain floats, repacked to float32 panels.

use super::{BLOCK, FloatPanelBlock, Format};
use half::{bf16, f16};
use monomorph_gguf::TensorType;
use monomorph_simd::{Isa, PANEL};

/// Float32 weights.
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// IEEE half-precision weights.
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// bfloat16 weights: the upper halves of float32.
#[derive(Clone, Copy, Debug)]
pub struct BF16;

macro_rules! float_format {
    ($format:ident, $bytes:literal, $to_f32:expr) => {
        impl Format for $format {
            const TYPE: TensorType = TensorType::$format;
            const PARTS: usize = 1;
            type Block = [[u8; $bytes]; BLOCK];
            type PanelBlock = FloatPanelBlock;

            fn decode(block: &Self::Block, _: usize) -> [f32; BLOCK] {
                block.map($to_f32)
            }

            #[inline(always)]
            fn repack<I: Isa>(
                _: I,
                rows: [&Self::Block; PANEL],
                _: usize,
                panel: &mut FloatPanelBlock,
            ) {
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

    #[test]
    fn decodes_known_values() {
        assert_eq!(F16::decode(&[[0x00, 0x3c]; BLOCK], 0)[0], 1.0);
        assert_eq!(BF16::decode(&[[0x80, 0xbf]; BLOCK], 0)[31], -1.0);
    }
}
