//! A model as the encoder sees it: its dimensions as types, and the [`Spec`] that names its tensors.
//!
//! The build generates one `impl Model` whose dimensions are [`Const`](crate::dim::Const); [`Runtime`] is the same for
//! any file, with all dimensions [`Dyn`].

use crate::dim::{Dim, Dyn};
use monomorph_quant::{AnyType, Types};
use monomorph_spec::Spec;

/// A model's dimensions and specification.
pub trait Model: Send + Sync + 'static {
    /// Width of the residual stream.
    type NEmbd: Dim;
    /// Width of the feed-forward layer.
    type NFf: Dim;
    /// Query heads.
    type NHead: Dim;
    /// Key/value heads.
    type NHeadKv: Dim;
    /// Width of a head.
    type HeadDim: Dim;
    /// Width of all query heads together.
    type NAttn: Dim;
    /// Types of the layers' matrices.
    type Types: Types;

    /// Width of the residual stream.
    fn n_embd(&self) -> Self::NEmbd;
    /// Width of the feed-forward layer.
    fn n_ff(&self) -> Self::NFf;
    /// Query heads.
    fn n_head(&self) -> Self::NHead;
    /// Key/value heads.
    fn n_head_kv(&self) -> Self::NHeadKv;
    /// Width of a head.
    fn head_dim(&self) -> Self::HeadDim;
    /// Width of all query heads together.
    fn n_attn(&self) -> Self::NAttn;
    /// Everything else.
    fn spec(&self) -> &Spec;
}

/// Any model, with dimensions read at run time: the generic path.
pub struct Runtime(pub Spec);

impl Model for Runtime {
    type NEmbd = Dyn;
    type NFf = Dyn;
    type NHead = Dyn;
    type NHeadKv = Dyn;
    type HeadDim = Dyn;
    type NAttn = Dyn;
    type Types = AnyType;

    fn n_embd(&self) -> Dyn {
        Dyn(self.0.n_embd)
    }
    fn n_ff(&self) -> Dyn {
        Dyn(self.0.n_ff)
    }
    fn n_head(&self) -> Dyn {
        Dyn(self.0.n_head)
    }
    fn n_head_kv(&self) -> Dyn {
        Dyn(self.0.n_head_kv)
    }
    fn head_dim(&self) -> Dyn {
        Dyn(self.0.head_dim)
    }
    fn n_attn(&self) -> Dyn {
        Dyn(self.0.n_head * self.0.head_dim)
    }
    fn spec(&self) -> &Spec {
        &self.0
    }
}
