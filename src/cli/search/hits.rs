//! The results of a search: the best so far.

use std::cmp::Ordering;

use serde::Serialize;

use crate::cli::vectors::Label;

/// One of the results.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    pub score: f32,
    pub row: u64,
    #[serde(flatten)]
    pub label: Label,
}

/// The best hits so far, best first; of equal ones, the earlier first.
pub struct Best {
    pub hits: Vec<Hit>,
    n: usize,
}

impl Best {
    pub fn new(n: usize) -> Best {
        Best { hits: Vec::new(), n }
    }

    pub fn takes(&self, score: f32) -> bool {
        self.hits.len() < self.n || self.hits.last().is_some_and(|worst| score > worst.score)
    }

    pub fn add(&mut self, hit: Hit) {
        let better = |other: &Hit| other.score.total_cmp(&hit.score) != Ordering::Less;
        let place = self.hits.partition_point(better);
        self.hits.insert(place, hit);
        self.hits.truncate(self.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_are_kept_in_order() {
        let mut best = Best::new(3);
        for (row, score) in [0.1, 0.5, 0.3, 0.5, 0.2, 0.9].into_iter().enumerate() {
            if best.takes(score) {
                best.add(Hit { score, row: row as u64, label: Label::default() });
            }
        }
        let rows: Vec<u64> = best.hits.iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [5, 1, 3]);
    }
}
