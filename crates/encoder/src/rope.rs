//! The sines and cosines of RoPE, one table for each kind of layer.

use monomorph_spec::Attention;
use std::borrow::Cow;

/// Tables for all positions of the window.
pub struct RopeTables {
    sliding: Cow<'static, [f32]>,
    full: Cow<'static, [f32]>,
    half: usize,
}

impl RopeTables {
    /// Tables of n_ctx x 2 x `half` floats: for each position the cosines, then the sines, of its `half` angles.
    pub fn new(
        sliding: impl Into<Cow<'static, [f32]>>,
        full: impl Into<Cow<'static, [f32]>>,
        half: usize,
    ) -> RopeTables {
        RopeTables { sliding: sliding.into(), full: full.into(), half }
    }

    /// `(cos, sin)` of a position.
    #[inline(always)]
    pub fn at(&self, attention: Attention, position: usize) -> (&[f32], &[f32]) {
        let table = match attention {
            Attention::Sliding => &self.sliding,
            Attention::Full => &self.full,
        };
        table[position * 2 * self.half..(position + 1) * 2 * self.half].split_at(self.half)
    }
}
