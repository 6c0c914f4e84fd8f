//! The parts of a transformer, with `T` in place of a tensor.
//!
//! One forward pass serves every model; how models differ is described here as data. Matrices are rows (outputs) by
//! columns (inputs).

use crate::fields::described;

described! {
    /// A linear map: `W x + b`.
    pub struct Linear<T> {
        /// `W`.
        pub weight: T,
        /// `b`, one value for each output.
        pub bias: Option<T>,
    }
}

described! {
    /// The parameters of a norm; [`Spec::norm`](crate::Spec::norm) says which norm the model has.
    pub struct Norm<T> {
        /// What the normalised values are multiplied by.
        pub gain: T,
        /// What is added to them; only LayerNorm may have it.
        pub bias: Option<T>,
    }
}

described! {
    /// From ids to the residual stream: `norm(token_embd[id] * scale + token_types[0] + position_embd[t])`. The sum is
    /// taken in this order, which decides its bits.
    pub struct Embedding<T> {
        /// Token embeddings: n_vocab x n_embd.
        pub tokens: T,
        /// Token type embeddings; all tokens of a text have type 0.
        pub token_types: Option<T>,
        /// Learned position embeddings: a row of n_embd values for each position that the model was trained for.
        pub positions: Option<T>,
        /// The norm of the sum.
        pub norm: Option<Norm<T>>,
    }
}

described! {
    /// A transformer layer: attention, then feed-forward, each a branch that joins the residual stream.
    pub struct Block<T> {
        /// Norm of attention's input, in pre-norm models.
        pub attn_norm: Option<Norm<T>>,
        /// Queries, keys and values.
        pub qkv: Qkv<T>,
        /// Norms of the queries and of the keys of each head: head_dim values.
        pub qk_norm: Option<[Norm<T>; 2]>,
        /// Whether the values of each head are normalised too, without a gain.
        pub v_norm: bool,
        /// Output projection, from the concatenated heads: n_embd x n_attn.
        pub attn_output: Linear<T>,
        /// How attention's branch joins the residual stream.
        pub attn_join: Join<T>,
        /// Norm of the feed-forward network's input, in pre-norm models.
        pub ffn_norm: Option<Norm<T>>,
        /// Gate projection, in gated networks: n_ff x n_embd. Files may hold it and the up projection in one tensor;
        /// then both have its name.
        pub gate: Option<Linear<T>>,
        /// Up projection: n_ff x n_embd.
        pub up: Linear<T>,
        /// Down projection: n_embd x n_ff.
        pub down: Linear<T>,
        /// Applied to the gate if there is one, otherwise to the up projection; and to the input branch's gate.
        pub activation: Activation,
        /// How the feed-forward branch joins the residual stream.
        pub ffn_join: Join<T>,
        /// A third branch, in models whose layers have an input of their own.
        pub input_branch: Option<InputBranch<T>>,
        /// What the residual stream is multiplied by at the end of the layer: one value.
        pub output_scale: Option<T>,
    }
}

described! {
    /// The branch by which a layer's [own input](LayerInputs) joins the residual stream:
    /// `project (activation(gate x) * input)`.
    pub struct InputBranch<T> {
        /// Gate: n_layer_input x n_embd.
        pub gate: Linear<T>,
        /// Projection: n_embd x n_layer_input.
        pub project: Linear<T>,
        /// How it joins the residual stream.
        pub join: Join<T>,
    }
}

described! {
    /// What makes an input for each layer ("per-layer embeddings", Gemma 3n):
    /// `norm(project x / sqrt(n_embd))`, where `x` is the residual stream before the first layer and the norm is taken
    /// of each layer's input by itself.
    pub struct LayerInputs<T> {
        /// Projection: n_layer n_layer_input x n_embd, the rows of the first layer first.
        pub project: Linear<T>,
        /// Norm: n_layer_input values.
        pub norm: Norm<T>,
    }
}

described! {
    /// The projections to queries, keys and values.
    pub enum Qkv<T> {
        /// One matrix: the rows for queries, then those for keys, then those for values.
        Fused(Linear<T>),
        /// Queries: n_attn x n_embd; keys and values: n_kv x n_embd.
        Split([Linear<T>; 3]),
    }
}

described! {
    /// How a branch joins the residual stream.
    pub enum Join<T> {
        /// `x + branch`
        Add,
        /// `x + norm(branch)`
        AddNormed(Norm<T>),
        /// `norm(x + branch)`, in post-norm models.
        NormOfSum(Norm<T>),
    }
}

described! {
    /// The activation function of a layer's gated or feed-forward networks.
    pub enum Activation {
        /// GELU's tanh approximation.
        GeluTanh,
        /// Exact GELU, with the error function.
        GeluErf,
        /// SiLU, also called swish: `x sigmoid(x)`.
        Silu,
    }
}

described! {
    /// Which norm a model has, and its epsilon.
    pub enum NormKind {
        /// RMSNorm.
        Rms(f32),
        /// LayerNorm.
        Layer(f32),
    }
}

impl<T> Linear<T> {
    /// A map without a bias.
    pub const fn plain(weight: T) -> Self {
        Linear { weight, bias: None }
    }

    /// A map with a bias.
    pub const fn biased(weight: T, bias: T) -> Self {
        Linear { weight, bias: Some(bias) }
    }
}

impl<T> Norm<T> {
    /// A norm without a bias.
    pub const fn plain(gain: T) -> Self {
        Norm { gain, bias: None }
    }

    /// A norm with a bias.
    pub const fn biased(gain: T, bias: T) -> Self {
        Norm { gain, bias: Some(bias) }
    }
}

impl Block<&'static str> {
    /// Whether one tensor of the files holds the gate's rows, then those of the up projection.
    pub(crate) fn is_gate_beside_up(&self) -> bool {
        self.gate.is_some_and(|gate| gate.weight == self.up.weight)
    }
}

impl<T> Qkv<T> {
    /// The projections, one or three.
    pub fn linears(&self) -> &[Linear<T>] {
        match self {
            Qkv::Fused(all) => std::slice::from_ref(all),
            Qkv::Split(each) => each,
        }
    }
}
