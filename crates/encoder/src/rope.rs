//! The cosines and sines of RoPE.

use monomorph_spec::Spec;
use std::borrow::Cow;

/// Tables for all positions of the longest text, one after the other.
pub struct RopeTables {
    tables: Cow<'static, [f32]>,
    /// For each table, where it begins and the number of angles of a position.
    places: Vec<(usize, usize)>,
}

impl RopeTables {
    /// The tables of a model, of n_ctx x head_dim floats each: for each position the cosines, then the sines, of its
    /// head_dim / 2 angles.
    pub fn new(tables: impl Into<Cow<'static, [f32]>>, spec: &Spec) -> RopeTables {
        let mut start = 0;
        let mut place = |head_dim: usize| {
            let at = start;
            start += spec.n_ctx * head_dim;
            (at, head_dim / 2)
        };
        let places = spec.ropes.iter().map(|rope| place(rope.head_dim)).collect();
        RopeTables { tables: tables.into(), places }
    }

    /// `(cos, sin)` of a position in table `number`.
    #[inline(always)]
    pub fn at(&self, number: u8, position: usize) -> (&[f32], &[f32]) {
        let (start, half) = self.places[usize::from(number)];
        let row = start + position * 2 * half;
        self.tables[row..row + 2 * half].split_at(half)
    }
}
