//! What a transformer's parts are made of, with `T` in the place of a tensor.
//!
//! One forward pass serves every model: what differs between them stands here as data. Matrices are rows (outputs) by
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
        /// What is added to them: LayerNorm alone may have it.
        pub bias: Option<T>,
    }
}

described! {
    /// From ids to the residual stream: `norm(token_embd[id] * scale + position_embd[t] + token_types[0])`.
    pub struct Embedding<T> {
        /// Embeddings of the pieces: n_vocab x n_embd.
        pub tokens: T,
        /// Embeddings of the types of tokens, of which a text's are all 0.
        pub token_types: Option<T>,
        /// Learned positions: n_ctx x n_embd.
        pub positions: Option<T>,
        /// A norm of their sum.
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
        /// Norms of each head's query and key: head_dim values.
        pub qk_norm: Option<[Norm<T>; 2]>,
        /// From the heads side by side to the branch: n_embd x n_attn.
        pub attn_output: Linear<T>,
        /// How attention's branch joins the residual stream.
        pub attn_join: Join<T>,
        /// Norm of the feed-forward network's input, in pre-norm models.
        pub ffn_norm: Option<Norm<T>>,
        /// The gate of a gated network: n_ff x n_embd.
        pub gate: Option<Linear<T>>,
        /// Up projection: n_ff x n_embd.
        pub up: Linear<T>,
        /// Down projection: n_embd x n_ff.
        pub down: Linear<T>,
        /// Applied to the gate where there is one, else to the up projection.
        pub activation: Activation,
        /// How the feed-forward branch joins the residual stream.
        pub ffn_join: Join<T>,
    }
}

described! {
    /// The projections to queries, keys and values.
    pub enum Qkv<T> {
        /// One matrix; its rows are the queries', the keys', the values'.
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
        /// `norm(x + branch)`: post-norm models.
        NormOfSum(Norm<T>),
    }
}

described! {
    /// The feed-forward network's activation function.
    pub enum Activation {
        /// GELU in its tanh form.
        GeluTanh,
        /// GELU with the error function: exact.
        GeluErf,
        /// SiLU, also called swish: `x sigmoid(x)`.
        Silu,
    }
}

described! {
    /// Which norm a model has, and the epsilon in its root.
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

impl<T> Qkv<T> {
    /// The projections, one or three.
    pub fn linears(&self) -> &[Linear<T>] {
        match self {
            Qkv::Fused(all) => std::slice::from_ref(all),
            Qkv::Split(each) => each,
        }
    }
}
