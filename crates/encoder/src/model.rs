//! A model as the encoder sees it: its dimensions as types, and the [`Spec`] that describes it.
//!
//! The build generates one `impl Model` whose dimensions are [`Const`](crate::dim::Const); [`Runtime`] is the same for
//! any file, with all dimensions [`Dyn`].

use crate::dim::{Dim, Dyn};
use monomorph_quant::{AnyType, Types};
use monomorph_spec::{Ops, Spec, Window};

/// A model's dimensions, operations and specification.
pub trait Model: Send + Sync + 'static {
    /// Width of the residual stream.
    type NEmbd: Dim;
    /// Width of the feed-forward network.
    type NFf: Dim;
    /// Number of query heads.
    type NHead: Dim;
    /// Number of key/value heads.
    type NHeadKv: Dim;
    /// Width of a head.
    type HeadDim: Dim;
    /// Width of all query heads together.
    type NAttn: Dim;
    /// Number of key/value heads in layers that see the whole text.
    type FullNHeadKv: Dim;
    /// Width of a head in these layers.
    type FullHeadDim: Dim;
    /// Width of all query heads together in these layers.
    type FullNAttn: Dim;
    /// Width of a layer's own input; 0 if layers have none.
    type NLayerInput: Dim;
    /// Types of the layers' matrices.
    type Types: Types;
    /// The operations that the layers use. No others are compiled.
    const OPS: Ops;

    /// The description.
    fn spec(&self) -> &Spec;

    /// Width of the residual stream.
    fn n_embd(&self) -> Self::NEmbd {
        Dim::of(self.spec().n_embd)
    }
    /// Width of the feed-forward network.
    fn n_ff(&self) -> Self::NFf {
        Dim::of(self.spec().n_ff)
    }
    /// Number of query heads.
    fn n_head(&self) -> Self::NHead {
        Dim::of(self.spec().n_head)
    }
    /// Number of key/value heads.
    fn n_head_kv(&self) -> Self::NHeadKv {
        Dim::of(self.spec().n_head_kv)
    }
    /// Width of a head.
    fn head_dim(&self) -> Self::HeadDim {
        Dim::of(self.spec().head_dim)
    }
    /// Width of all query heads together.
    fn n_attn(&self) -> Self::NAttn {
        Dim::of(self.spec().heads().n_attn())
    }
    /// Number of key/value heads in layers that see the whole text.
    fn full_n_head_kv(&self) -> Self::FullNHeadKv {
        Dim::of(self.spec().heads_of(Window::Full).n_head_kv)
    }
    /// Width of a head in these layers.
    fn full_head_dim(&self) -> Self::FullHeadDim {
        Dim::of(self.spec().heads_of(Window::Full).head_dim)
    }
    /// Width of all query heads together in these layers.
    fn full_n_attn(&self) -> Self::FullNAttn {
        Dim::of(self.spec().heads_of(Window::Full).n_attn())
    }
    /// Width of a layer's own input.
    fn n_layer_input(&self) -> Self::NLayerInput {
        Dim::of(self.spec().n_layer_input())
    }
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
    type FullNHeadKv = Dyn;
    type FullHeadDim = Dyn;
    type FullNAttn = Dyn;
    type NLayerInput = Dyn;
    type Types = AnyType;
    const OPS: Ops = Ops::ALL;

    fn spec(&self) -> &Spec {
        &self.0
    }
}
