//! A row-major matrix that is split into blocks of columns, which several threads may write at once.

#![allow(unsafe_code)]

use monomorph_simd::PANEL;
use std::marker::PhantomData;

/// Exclusive access to some neighbouring columns, in all rows of a matrix.
///
/// Two blocks of the same matrix never share an element, so different threads may write them.
pub struct ColumnsMut<'a> {
    /// The element in row 0 and this block's first column.
    start: *mut f32,
    rows: usize,
    /// Number of elements from one row to the next.
    stride: usize,
    width: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: a block is an exclusive borrow of its elements, and `f32` may be sent; `split_at` takes the block by value
// and returns blocks of disjoint columns.
unsafe impl Send for ColumnsMut<'_> {}

impl<'a> ColumnsMut<'a> {
    /// All columns of a matrix whose rows have `stride` elements. The matrix must consist of whole rows.
    pub fn new(matrix: &'a mut [f32], stride: usize) -> Self {
        assert!(
            stride > 0 && matrix.len().is_multiple_of(stride),
            "the matrix must consist of whole rows"
        );
        ColumnsMut {
            start: matrix.as_mut_ptr(),
            rows: matrix.len() / stride,
            stride,
            width: stride,
            matrix: PhantomData,
        }
    }

    /// Number of columns in the block.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Splits the block into its first `columns` columns and the rest.
    pub fn split_at(self, columns: usize) -> (ColumnsMut<'a>, ColumnsMut<'a>) {
        assert!(columns <= self.width, "cannot split {} columns at {columns}", self.width);
        let rest = ColumnsMut {
            // In bounds or one past the end of an existing row; never dereferenced if there are no rows.
            start: self.start.wrapping_add(columns),
            width: self.width - columns,
            ..self
        };
        (ColumnsMut { width: columns, ..self }, rest)
    }

    /// Splits the block into parts and yields each with the number of its first panel. `sizes` gives the panels of each
    /// part and must be enough for the whole block; the last part may be smaller than its size.
    pub fn parts<S>(self, mut sizes: S) -> impl Iterator<Item = (usize, ColumnsMut<'a>)> + Send
    where
        S: Iterator<Item = usize> + Send,
    {
        let mut rest = Some(self);
        let mut first = 0;
        std::iter::from_fn(move || {
            let all = rest.take().filter(|all| all.width > 0)?;
            let size =
                sizes.next().filter(|size| *size > 0).expect("the sizes must cover all panels");
            let width = (size * PANEL).min(all.width);
            let (part, others) = all.split_at(width);
            rest = Some(others);
            let number = first;
            first += width / PANEL;
            Some((number, part))
        })
    }

    /// The sixteen columns of panel `panel` of this block, in row `row`.
    #[inline(always)]
    pub fn panel_mut(&mut self, row: usize, panel: usize) -> &mut [f32; PANEL] {
        assert!(row < self.rows && panel < self.width / PANEL, "outside of the block");
        // SAFETY: by the assertion the sixteen elements lie in row `row` of the matrix and within this block's
        // columns, which no other block shares; the borrow of `self` keeps them from being handed out twice.
        unsafe { &mut *self.start.add(row * self.stride + panel * PANEL).cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_write_their_own_columns() {
        let mut matrix = vec![0.0; 3 * 64];
        let (mut left, right) = ColumnsMut::new(&mut matrix, 64).split_at(16);
        let (mut middle, mut last) = right.split_at(32);
        std::thread::scope(|s| {
            s.spawn(|| (0..3).for_each(|r| *left.panel_mut(r, 0) = [1.0; 16]));
            s.spawn(|| (0..6).for_each(|i| *middle.panel_mut(i / 2, i % 2) = [2.0; 16]));
            s.spawn(|| (0..3).for_each(|r| *last.panel_mut(r, 0) = [3.0; 16]));
        });
        let row: Vec<f32> = (0..64).map(|c| [1.0, 2.0, 2.0, 3.0][c / 16]).collect();
        assert_eq!(matrix, row.repeat(3));
    }

    #[test]
    #[should_panic(expected = "outside of the block")]
    fn a_block_ends_where_the_next_begins() {
        let mut matrix = vec![0.0; 32];
        let (mut left, _) = ColumnsMut::new(&mut matrix, 32).split_at(16);
        left.panel_mut(0, 1);
    }

    #[test]
    #[should_panic(expected = "outside of the block")]
    fn a_panel_number_does_not_wrap_around() {
        ColumnsMut::new(&mut [0.0; 32], 32).panel_mut(0, usize::MAX);
    }
}
