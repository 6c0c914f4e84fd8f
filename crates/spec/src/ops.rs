//! Which operations a model's forward pass consists of, so that all others can be left out.

use crate::block::{Activation, Block, Join, NormKind};
use crate::fields::described;
use crate::{Pooling, Spec, Tensor};

described! {
    /// The operations that at least one layer of a model uses. The others are left out of its forward pass at compile
    /// time.
    #[derive(Copy, Eq)]
    pub struct Ops {
        /// RMSNorm.
        pub rms_norm: bool,
        /// LayerNorm.
        pub layer_norm: bool,
        /// Norms of queries and keys.
        pub qk_norm: bool,
        /// Norms of values.
        pub v_norm: bool,
        /// Layers that see the whole text have other heads than those that slide.
        pub full_heads: bool,
        /// RoPE.
        pub rope: bool,
        /// Feed-forward networks with a gate.
        pub gated: bool,
        /// Feed-forward networks without one.
        pub plain: bool,
        /// [`Activation::GeluTanh`].
        pub gelu_tanh: bool,
        /// [`Activation::GeluErf`].
        pub gelu_erf: bool,
        /// [`Activation::Silu`].
        pub silu: bool,
        /// [`Join::Add`].
        pub add: bool,
        /// [`Join::AddNormed`].
        pub add_normed: bool,
        /// [`Join::NormOfSum`].
        pub norm_of_sum: bool,
        /// Layers with an input of their own.
        pub layer_inputs: bool,
        /// Layers that scale what they give.
        pub output_scale: bool,
        /// Texts that begin alike can share what that beginning gives: a causal model whose last token makes the vector.
        pub prefix: bool,
    }
}

impl Ops {
    /// All operations, for models that are known only at run time.
    pub const ALL: Ops = Ops {
        rms_norm: true,
        layer_norm: true,
        qk_norm: true,
        v_norm: true,
        full_heads: true,
        rope: true,
        gated: true,
        plain: true,
        gelu_tanh: true,
        gelu_erf: true,
        silu: true,
        add: true,
        add_normed: true,
        norm_of_sum: true,
        layer_inputs: true,
        output_scale: true,
        prefix: true,
    };

    /// No operation.
    pub const NONE: Ops = Ops {
        rms_norm: false,
        layer_norm: false,
        qk_norm: false,
        v_norm: false,
        full_heads: false,
        rope: false,
        gated: false,
        plain: false,
        gelu_tanh: false,
        gelu_erf: false,
        silu: false,
        add: false,
        add_normed: false,
        norm_of_sum: false,
        layer_inputs: false,
        output_scale: false,
        prefix: false,
    };

    /// The operations of a model.
    pub fn of(spec: &Spec) -> Ops {
        let blocks = || spec.layers.iter().map(|layer| &layer.block);
        let joins = || {
            let of_inputs = |block: &Block<Tensor>| block.input_branch.map(|branch| branch.join);
            blocks().flat_map(move |block| {
                [block.attn_join, block.ffn_join].into_iter().chain(of_inputs(block))
            })
        };
        let activates = |with| blocks().any(|block| block.activation == with);
        Ops {
            rms_norm: matches!(spec.norm, NormKind::Rms(_)),
            layer_norm: matches!(spec.norm, NormKind::Layer(_)),
            qk_norm: blocks().any(|block| block.qk_norm.is_some()),
            v_norm: blocks().any(|block| block.v_norm),
            full_heads: spec.full_heads.is_some(),
            rope: spec.layers.iter().any(|layer| layer.rope.is_some()),
            gated: blocks().any(|block| block.gate.is_some()),
            plain: blocks().any(|block| block.gate.is_none()),
            gelu_tanh: activates(Activation::GeluTanh),
            gelu_erf: activates(Activation::GeluErf),
            silu: activates(Activation::Silu),
            add: joins().any(|join| matches!(join, Join::Add)),
            add_normed: joins().any(|join| matches!(join, Join::AddNormed(_))),
            norm_of_sum: joins().any(|join| matches!(join, Join::NormOfSum(_))),
            layer_inputs: blocks().any(|block| block.input_branch.is_some()),
            output_scale: blocks().any(|block| block.output_scale.is_some()),
            prefix: spec.causal && spec.pooling == Pooling::Last,
        }
    }

    /// Whether any layer uses this activation function.
    pub const fn has(&self, activation: Activation) -> bool {
        match activation {
            Activation::GeluTanh => self.gelu_tanh,
            Activation::GeluErf => self.gelu_erf,
            Activation::Silu => self.silu,
        }
    }
}
