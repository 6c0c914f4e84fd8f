//! The cosines and sines of RoPE.

use std::borrow::Cow;

/// Tables for all positions of the longest text, one after the other.
pub struct RopeTables {
    tables: Cow<'static, [f32]>,
    n_ctx: usize,
    half: usize,
}

impl RopeTables {
    /// Tables of n_ctx x 2 x `half` floats each: for each position the cosines, then the sines, of its `half` angles.
    pub fn new(tables: impl Into<Cow<'static, [f32]>>, n_ctx: usize, half: usize) -> RopeTables {
        RopeTables { tables: tables.into(), n_ctx, half }
    }

    /// `(cos, sin)` of a position in table `number`.
    #[inline(always)]
    pub fn at(&self, number: u8, position: usize) -> (&[f32], &[f32]) {
        let row = usize::from(number) * self.n_ctx + position;
        self.tables[row * 2 * self.half..(row + 1) * 2 * self.half].split_at(self.half)
    }
}
