//! Weight formats: how the file stores a tensor, and the panels that the matmul kernels read.
//!
//! Each format has one file here: its block layout, and the integers, scales and minima that a block holds
//! ([`Quantized`]). Two things follow from these. One is what a block decodes to: the same weights as in gguf-py, the
//! format's Python library, bit for bit. The other is the *panels* that matrix products run on: sixteen output columns
//! of a matrix, all `k` inputs long, in blocks of [`BLOCK`] inputs. The float types are floats in both.

#![forbid(unsafe_code)]
#![allow(non_camel_case_types)] // The formats' names are ggml's.

mod bits;
#[cfg(test)]
mod decode_tests;
mod float;
mod grids;
pub mod image;
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
pub mod packed;
mod panel;
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
mod repack;
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
pub use panel::{
    FloatPanelBlock, HalvesMinPanelBlock, HalvesPanelBlock, IntPanelBlock, Ints, Line,
    MinPanelBlock, PanelBlock, PanelKind,
};
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
pub use repack::{arrange, repack};
pub use tq1_0::TQ1_0;
pub use tq2_0::TQ2_0;

use bits::float16;
use bytemuck::Pod;
use monomorph_gguf::TensorType;
use monomorph_simd::{Isa, PANEL, each};

/// Inputs that every kernel takes in one step along `k`.
pub const BLOCK: usize = 32;

/// A weight format of GGUF files.
pub trait Format: Copy + Send + Sync + 'static {
    /// The type that it has in the file.
    const TYPE: TensorType;
    /// Number of parts of [`BLOCK`] weights in a block.
    const PARTS: usize;
    /// Consecutive weights of one row, as the file stores them.
    type Block: Pod + Send + Sync;
    /// One block of a panel: what `repack` writes.
    type PanelBlock: PanelBlock;

    /// Decodes a part of a block.
    fn decode(block: &Self::Block, part: usize) -> [f32; BLOCK];
    /// Makes one block of a panel from the same part of sixteen blocks, one per row.
    fn repack<I: Isa>(
        isa: I,
        rows: [&Self::Block; PANEL],
        part: usize,
        panel: &mut Self::PanelBlock,
    );
}

/// A format whose weights are `d * scale * q - dmin * min`, with small integers `q`.
///
/// Groups of neighbouring inputs share a scale and a minimum. They are numbered within the block; the kind of panel
/// says how many inputs a group has.
pub trait Quantized: Copy + Send + Sync + 'static {
    /// The type that it has in the file.
    const TYPE: TensorType;
    /// Consecutive weights of one row, as the file stores them.
    type Block: Pod + Send + Sync;
    /// The kind of panel that holds the weights.
    type PanelBlock: Ints;

    /// The integers `q` of a part of [`BLOCK`] weights.
    fn ints(block: &Self::Block, part: usize) -> [i8; BLOCK];
    /// `d`, the unit of the scales: a little-endian float16.
    fn d(block: &Self::Block) -> [u8; 2];
    /// The scale of a group.
    #[inline(always)]
    fn scale(_: &Self::Block, _: usize) -> f32 {
        1.0
    }
    /// `dmin`, the unit of the minima: a little-endian float16.
    #[inline(always)]
    fn dmin(_: &Self::Block) -> [u8; 2] {
        [0; 2]
    }
    /// The minimum of a group.
    #[inline(always)]
    fn min(_: &Self::Block, _: usize) -> f32 {
        0.0
    }
}

impl<Q: Quantized> Format for Q {
    const TYPE: TensorType = Q::TYPE;
    const PARTS: usize = Q::TYPE.block_len() as usize / BLOCK;
    type Block = Q::Block;
    type PanelBlock = Q::PanelBlock;

    fn decode(block: &Q::Block, part: usize) -> [f32; BLOCK] {
        let groups = Q::PanelBlock::GROUPS;
        let (d, dmin) = (float16(Q::d(block)), float16(Q::dmin(block)));
        let mut weights = Q::ints(block, part).map(f32::from);
        for (g, weights) in (part * groups..).zip(weights.chunks_exact_mut(BLOCK / groups)) {
            let (scale, min) = (d * Q::scale(block, g), dmin * Q::min(block, g));
            for weight in weights {
                *weight *= scale;
                if Q::PanelBlock::MINS {
                    *weight -= min;
                }
            }
        }
        weights
    }

    #[inline(always)]
    fn repack<I: Isa>(isa: I, rows: [&Q::Block; PANEL], part: usize, panel: &mut Q::PanelBlock) {
        let groups = Q::PanelBlock::GROUPS;
        let (units, scales, mins) = panel.fields();
        let ints = each(rows, |block| Q::ints(block, part));
        isa.transpose_weights(each(ints.each_ref(), |ints| ints), units);
        let in_units = |unit: [[u8; 2]; PANEL], of: [f32; PANEL], to: &mut [f32; PANEL]| {
            let unit = isa.widen_f16(each(unit, u16::from_le_bytes));
            isa.store(isa.mul(unit, isa.load(&of)), to);
        };
        for (g, to) in (part * groups..).zip(scales) {
            in_units(each(rows, Q::d), each(rows, |block| Q::scale(block, g)), to);
        }
        for (g, to) in (part * groups..).zip(mins) {
            in_units(each(rows, Q::dmin), each(rows, |block| -Q::min(block, g)), to);
        }
    }
}

/// Defines the list of formats, and the macro that dispatches on one of them.
macro_rules! formats {
    ($($name:ident)*) => {
        /// All formats.
        pub const FORMATS: &[TensorType] = &[$(TensorType::$name,)*];

        /// `with_format!(kind, |F| body)` evaluates the body with `F` as the format of `kind`, a [`TensorType`] in
        /// [`FORMATS`].
        macro_rules! with_format {
            ($kind:expr, |$format:ident| $body:expr) => {
                match $kind {
                    $(monomorph_gguf::TensorType::$name => {
                        type $format = $crate::$name;
                        $body
                    })*
                    other => unreachable!("{other} is not a weight format"),
                }
            };
        }

        // Checks that blocks have ggml's lengths and sizes.
        $(const _: () = {
            type F = $name;
            let weights = F::PARTS * BLOCK;
            let blocks = weights / TensorType::$name.block_len() as usize;
            assert!(blocks * TensorType::$name.block_len() as usize == weights);
            assert!(blocks * TensorType::$name.block_bytes() as usize == size_of::<<F as Format>::Block>());
        };)*

        /// The kind of panel that a type is repacked to; `None` if no matrix may have the type.
        const fn panel_kind_of(kind: TensorType) -> Option<PanelKind> {
            match kind {
                $(TensorType::$name => Some(<<$name as Format>::PanelBlock as PanelBlock>::KIND),)*
                _ => None,
            }
        }
    };
}
formats! {
    F32 F16 BF16 Q8_0
    Q4_0 Q4_1 Q5_0 Q5_1 IQ4_NL MXFP4 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_XS IQ3_XXS IQ3_S IQ2_XXS
    IQ2_XS IQ2_S IQ1_S IQ1_M TQ1_0 TQ2_0
}
// Modules that are declared above a macro see it only by its path.
#[allow(clippy::single_component_path_imports)]
pub(crate) use with_format;

/// The kind of panel that a matrix of this type, one of [`FORMATS`], is repacked to.
pub fn panel_kind(kind: TensorType) -> PanelKind {
    panel_kind_of(kind).unwrap_or_else(|| unreachable!("{kind} is not a weight format"))
}

/// The types of a model's matrices, so that kernels for other types need not be compiled.
pub trait Types: 'static {
    /// The types, without duplicates.
    const TYPES: &'static [TensorType];
}

/// All types, for models that are known only at run time.
pub struct AnyType;

impl Types for AnyType {
    const TYPES: &'static [TensorType] = FORMATS;
}

/// Whether any of the types is repacked to panels of this kind.
pub const fn repacks_to<T: Types>(kind: PanelKind) -> bool {
    let mut i = 0;
    while i < T::TYPES.len() {
        // Enums cannot be compared with `==` in constants.
        if matches!(panel_kind_of(T::TYPES[i]), Some(of) if of as u8 == kind as u8) {
            return true;
        }
        i += 1;
    }
    false
}

/// Decodes whole blocks of one row, or of consecutive rows, to as many floats as they hold. The type must be one of
/// [`FORMATS`]; float types are decoded in blocks of [`BLOCK`].
pub fn decode_blocks(kind: TensorType, bytes: &[u8], to: &mut [f32]) {
    with_format!(kind, |F| {
        let blocks: &[<F as Format>::Block] = bytemuck::cast_slice(bytes);
        for (block, to) in blocks.iter().zip(to.chunks_exact_mut(F::PARTS * BLOCK)) {
            for (part, to) in to.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                *to = <F as Format>::decode(block, part);
            }
        }
    })
}
