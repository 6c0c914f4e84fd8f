//! The model's norm, with the parameters for one place in the model.

use crate::dim::Dim;
use crate::kernels::layer_norm::layer_norm_in_place;
use crate::kernels::residual::add;
use crate::kernels::rms_norm::{add_rms_norm, rms_norm_in_place};
use crate::model::Model;
use crate::weights::{Located, Weights};
use monomorph_simd::Isa;
use monomorph_spec::{Norm, NormKind};

/// What is wrong where a norm was not compiled.
const FOREIGN: &str = "a norm that is not the model's";

/// A norm with its parameters. Each operation is one match, of which only the arm for the model's own norm is compiled.
#[derive(Clone, Copy)]
pub struct NormView<'a> {
    pub kind: NormKind,
    pub gain: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

impl<'a> NormView<'a> {
    /// The norm with these parameters.
    pub fn new(kind: NormKind, weights: &'a Weights, norm: &Norm<Located>) -> NormView<'a> {
        let bias = norm.bias.map(|bias| weights.vector(bias));
        NormView { kind, gain: weights.vector(norm.gain), bias }
    }

    /// `x = norm(x)`
    #[inline(always)]
    pub fn in_place<I: Isa, M: Model, N: Dim>(&self, isa: I, n: N, x: &mut [f32]) {
        match self.kind {
            NormKind::Rms(eps) if const { M::OPS.rms_norm } => {
                rms_norm_in_place(isa, n, x, self.gain, eps);
            }
            NormKind::Layer(eps) if const { M::OPS.layer_norm } => {
                layer_norm_in_place(isa, n, x, self.gain, self.bias, eps);
            }
            NormKind::Rms(_) | NormKind::Layer(_) => unreachable!("{FOREIGN}"),
        }
    }

    /// `x += norm(branch)`. The branch's values are overwritten and must not be used afterwards.
    #[inline(always)]
    pub fn add<I: Isa, M: Model, N: Dim>(&self, isa: I, n: N, x: &mut [f32], branch: &mut [f32]) {
        match self.kind {
            NormKind::Rms(eps) if const { M::OPS.rms_norm } => {
                add_rms_norm(isa, n, x, branch, self.gain, eps);
            }
            NormKind::Layer(eps) if const { M::OPS.layer_norm } => {
                layer_norm_in_place(isa, n, branch, self.gain, self.bias, eps);
                add(isa, n, x, branch);
            }
            NormKind::Rms(_) | NormKind::Layer(_) => unreachable!("{FOREIGN}"),
        }
    }
}
