//! The choices about a model that its file leaves to the build, and the variables that make them.

use crate::Pooling;
use crate::fields::described;

/// The variable that chooses how tokens become one vector, by a [name](Pooling::name). Messages and notes of this crate
/// name it, as they do [`CONTEXT`].
pub const POOLING: &str = "MONOMORPH_POOLING";
/// The variable that chooses the longest text in tokens.
pub const CONTEXT: &str = "MONOMORPH_CONTEXT";

/// The longest text in tokens unless the build asks for more. With heads of 256, its two RoPE tables take 16 MiB of the
/// binary; those for 32,768 tokens would take 64.
pub(crate) const DEFAULT_CONTEXT: usize = 8192;

described! {
    /// A build's choices. `None` leaves a choice to the file, or to the default if the file does not say.
    #[derive(Copy, Default)]
    pub struct BuildOptions {
        /// How tokens become one vector, whatever the file says.
        pub pooling: Option<Pooling>,
        /// Longest text in tokens, at most what the model was trained for. The default is that length or 8192,
        /// whichever is less.
        pub n_ctx: Option<usize>,
    }
}

impl BuildOptions {
    /// Everything is left to the file.
    pub const NONE: BuildOptions = BuildOptions { pooling: None, n_ctx: None };
}
