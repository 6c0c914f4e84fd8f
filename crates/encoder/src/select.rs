//! From the name of an instruction set, known at run time, to an encoder compiled for it.

use crate::model::{Model, Runtime};
use crate::weights::Weights;
use crate::{Encoder, Forward, RopeTables};
use monomorph_simd::{Isa, with_every_isa, with_vector_isas};
use monomorph_spec::Spec;

/// An encoder for the instruction set of this name; `None` if this CPU or this version does not support it.
///
/// The scalar code is not compiled for each model: it takes the generic path, which gives the same bits.
pub fn select<M: Model>(
    isa: &str,
    model: M,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    macro_rules! try_isa {
        ($isa:ty,) => {
            if isa == <$isa>::NAME {
                return with_isa::<$isa, M>(model, weights, rope);
            }
        };
    }
    with_vector_isas!(try_isa!());
    select_generic(isa, model.spec().clone(), weights, rope)
}

/// [`select`] for a model whose dimensions are known only at run time. Not generic, so that it is compiled once and not
/// in every crate that calls it.
pub fn select_generic(
    isa: &str,
    spec: Spec,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    macro_rules! try_isa {
        ($isa:ty,) => {
            if isa == <$isa>::NAME {
                return with_isa::<$isa, _>(Runtime(spec), weights, rope);
            }
        };
    }
    with_every_isa!(try_isa!());
    None
}

fn with_isa<I: Isa, M: Model>(
    model: M,
    weights: Weights,
    rope: RopeTables,
) -> Option<Box<dyn Forward>> {
    Some(Box::new(Encoder::new(I::detect()?, model, weights, rope)))
}
