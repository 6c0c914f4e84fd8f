//! What a build may choose about a model: the choices that its file leaves open.

use crate::Pooling;
use crate::fields::described;

/// Longest window that nobody asked for. Its RoPE tables take 16 MiB of the binary with heads of 256; those of the
/// 32,768 tokens that Gemma 3 was trained for would take 64.
pub(crate) const DEFAULT_WINDOW: usize = 8192;

described! {
    /// Choices of a build; `None` leaves it to the file, or to the default where the file does not say.
    #[derive(Copy, Default)]
    pub struct BuildOptions {
        /// How tokens become one vector, whatever the file says.
        pub pooling: Option<Pooling>,
        /// Longest text in tokens, at most what the model was trained for. The default is 8192 or that, whichever is
        /// less.
        pub n_ctx: Option<usize>,
    }
}
