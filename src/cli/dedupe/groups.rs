//! Groups of rows that duplicate each other, directly or through others.

/// Disjoint sets of rows, as trees whose roots are the sets' first rows. Eight bytes a row.
#[derive(Default)]
pub struct Groups {
    parents: Vec<u64>,
}

impl Groups {
    /// The first row of this row's group.
    pub fn first_of(&mut self, row: u64) -> u64 {
        self.grow(row);
        let mut at = row;
        while self.parents[at as usize] != at {
            // Halves the way for the next one.
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    /// Whether two rows are in different groups: a pair within a group changes nothing.
    pub fn are_apart(&mut self, [a, b]: [u64; 2]) -> bool {
        self.first_of(a) != self.first_of(b)
    }

    /// Makes one group of two rows' groups.
    pub fn join(&mut self, [a, b]: [u64; 2]) {
        let (a, b) = (self.first_of(a), self.first_of(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }

    fn grow(&mut self, row: u64) {
        let from = self.parents.len() as u64;
        self.parents.extend(from..=row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_by_their_first_row() {
        let mut groups = Groups::default();
        for pair in [[5, 7], [2, 5], [7, 9], [3, 4], [9, 2]] {
            groups.join(pair);
        }
        let firsts: Vec<u64> = (0..11).map(|row| groups.first_of(row)).collect();
        assert_eq!(firsts, [0, 1, 2, 3, 3, 2, 6, 2, 8, 2, 10]);
    }
}
