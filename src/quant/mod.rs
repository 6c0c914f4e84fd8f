//! Weight formats: how a tensor lies in the file, and the panels that the matmul kernels run on.
//!
//! A *panel* is sixteen output columns of a matrix, all `k` inputs long, in blocks of [`BLOCK`] inputs. There are two
//! kinds: [`IntPanel`] for block-quantised weights and [`FloatPanel`] for the float types. A format is one file here:
//! its block layout, its scalar decode and `unpack`, which turns sixteen rows of blocks into a panel.
//!
//! Every block format of ggml but Q8_0 ([`BLOCK_FORMATS`]) also has a plain decode ([`Decode`]); those that are nothing else
//! run as float panels. What they decode to is what gguf-py, the format's Python library, makes of the same bytes, bit for bit.

mod bits;
#[cfg(test)]
mod decode_tests;
mod float;
mod grids;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod tq1_0;
mod tq2_0;

pub use float::{BF16, F16, F32};
pub use iq1_m::IQ1_M;
pub use iq1_s::IQ1_S;
pub use iq2_s::IQ2_S;
pub use iq2_xs::IQ2_XS;
pub use iq2_xxs::IQ2_XXS;
pub use iq3_s::IQ3_S;
pub use iq3_xxs::IQ3_XXS;
pub use iq4_nl::IQ4_NL;
pub use iq4_xs::IQ4_XS;
pub use mxfp4::MXFP4;
pub use q2_k::Q2_K;
pub use q3_k::Q3_K;
pub use q4_0::Q4_0;
pub use q4_1::Q4_1;
pub use q4_k::Q4_K;
pub use q5_0::Q5_0;
pub use q5_1::Q5_1;
pub use q5_k::Q5_K;
pub use q6_k::Q6_K;
pub use q8_0::Q8_0;
pub use tq1_0::TQ1_0;
pub use tq2_0::TQ2_0;

use crate::isa::{Isa, PANEL, Unit};
use bytemuck::Pod;
use monomorph_gguf::TensorType;

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

/// Whether weights of a type run as int panels, on quantised rows; all others run as float panels, on rows as they are.
pub fn runs_as_ints(kind: TensorType) -> bool {
    use TensorType::{IQ4_NL, Q4_0, Q5_0, Q8_0};
    matches!(kind, Q8_0 | Q4_0 | Q5_0 | IQ4_NL)
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

/// A block format of ggml, decoded to floats.
pub trait Decode: Copy + Send + Sync + 'static {
    /// Its number and name in the file.
    const TYPE: TensorType;
    /// Weights in a block: 32 or 256.
    const BLOCK_LEN: usize;
    /// [`Self::BLOCK_LEN`] weights of one row, as the file has them.
    type Block: Pod + Send + Sync;

    /// The weights of one block. `to` is [`Self::BLOCK_LEN`] long.
    fn decode(block: &Self::Block, to: &mut [f32]);
}

/// Makes the type of a [`Decode`] format from its file's `Block` and `decode`.
///
/// The block has ggml's length and size, or this does not compile.
macro_rules! block_format {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl $crate::quant::Decode for $name {
            const TYPE: monomorph_gguf::TensorType = monomorph_gguf::TensorType::$name;
            const BLOCK_LEN: usize = $len;
            type Block = Block;

            fn decode(block: &Block, to: &mut [f32]) {
                let weights: [f32; $len] = decode(block);
                to.copy_from_slice(&weights);
            }
        }

        const _: () = {
            let ggml = monomorph_gguf::TensorType::$name;
            assert!(ggml.block_len() == $len);
            assert!(ggml.block_bytes() as usize == size_of::<Block>());
        };
    };
}
use block_format;

/// Lets a format of 32 small integers with one float16 scale `d` run as int panels: from its file's `Block` and `ints`.
macro_rules! int_format {
    ($name:ident) => {
        impl $crate::quant::Format for $name {
            type Block = Block;
            type Panel = $crate::quant::IntPanel;

            fn decode(block: &Block) -> [f32; BLOCK] {
                decode(block)
            }

            #[inline(always)]
            fn unpack<I: $crate::isa::Isa>(
                isa: I,
                rows: [&Block; $crate::isa::PANEL],
                panel: &mut $crate::quant::IntPanel,
            ) {
                use $crate::kernels::tile::each;
                isa.transpose_pairs(each(rows, ints).each_ref(), &mut panel.units);
                isa.widen_f16(each(rows, |block| u16::from_le_bytes(block.d)), &mut panel.scales);
            }
        }
    };
}
use int_format;

/// Makes the list of the [`Decode`] formats and the macro that chooses among them.
macro_rules! block_formats {
    ($($name:ident)*) => {
        /// The formats that implement [`Decode`].
        pub const BLOCK_FORMATS: &[TensorType] = &[$(TensorType::$name,)*];

        /// `with_block_format!(kind, |F| body, else other)`: the body with `F` being the [`Decode`] format of this
        /// [`TensorType`], or `other` where the type is none of [`BLOCK_FORMATS`].
        macro_rules! with_block_format {
            ($kind:expr, |$format:ident| $body:expr, else $other:expr) => {
                match $kind {
                    $(monomorph_gguf::TensorType::$name => {
                        type $format = $crate::quant::$name;
                        $body
                    })*
                    _ => $other,
                }
            };
        }
    };
}
block_formats! {
    Q4_0 Q4_1 Q5_0 Q5_1 IQ4_NL MXFP4 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_XS IQ3_XXS IQ3_S IQ2_XXS
    IQ2_XS IQ2_S IQ1_S IQ1_M TQ1_0 TQ2_0
}
#[cfg(test)]
use with_block_format;

/// Decodes whole blocks of one row, or of neighbouring rows, to as many floats as they hold.
///
/// The type must be one of [`BLOCK_FORMATS`].
pub fn decode_blocks(kind: TensorType, bytes: &[u8], to: &mut [f32]) {
    with_block_format!(kind, |F| {
        let blocks: &[<F as Decode>::Block] = bytemuck::cast_slice(bytes);
        for (block, to) in blocks.iter().zip(to.chunks_exact_mut(F::BLOCK_LEN)) {
            <F as Decode>::decode(block, to);
        }
    }, else unreachable!("{kind} is no block format"));
}
