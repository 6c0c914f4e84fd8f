//! From the name of an instruction set, known at run time, to an encoder compiled for it.

use crate::model::{Model, Runtime};
use crate::weights::Weights;
use crate::{Encoder, Forward, RopeTables};
#[cfg(target_arch = "x86_64")]
use monomorph_simd::{Avx2, Avx512};
use monomorph_simd::{Isa, Scalar};
use monomorph_spec::Spec;

/// An encoder for the instruction set of this name; none if this CPU or this version does not have it.
///
/// Plain Rust is not compiled again for each model: it takes the generic path, with the same bits.
pub fn select<M: Model>(
    isa: &str,
    model: M,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Avx2::NAME => with_isa::<Avx2, M>(model, weights, rope),
        #[cfg(target_arch = "x86_64")]
        Avx512::NAME => with_isa::<Avx512, M>(model, weights, rope),
        _ => select_generic(isa, model.spec().clone(), weights, rope),
    }
}

/// [`select`] for a model whose dimensions are known at run time only. Not generic, so that it is compiled once and not
/// in every crate that calls it.
pub fn select_generic(
    isa: &str,
    spec: Spec,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    let model = Runtime(spec);
    match isa {
        Scalar::NAME => with_isa::<Scalar, _>(model, weights, rope),
        #[cfg(target_arch = "x86_64")]
        Avx2::NAME => with_isa::<Avx2, _>(model, weights, rope),
        #[cfg(target_arch = "x86_64")]
        Avx512::NAME => with_isa::<Avx512, _>(model, weights, rope),
        _ => None,
    }
}

fn with_isa<I: Isa, M: Model>(
    model: M,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    Some(Box::new(Encoder::new(I::detect()?, model, weights, rope)))
}
