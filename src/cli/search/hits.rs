//! The results of a search: the best so far, and how one is shown.

use std::cmp::Ordering;

use serde::Serialize;

use crate::cli::records::Id;
use crate::cli::vectors::row_name;

/// One of the results.
#[derive(Debug, Serialize)]
pub struct Hit {
    pub score: f32,
    pub row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Hit {
    /// A line with so many letters of the text.
    pub fn line(&self, letters: usize) -> String {
        let name = row_name(self.row, self.id.as_ref());
        let mut text = self.text.as_deref().unwrap_or_default().replace(char::is_control, " ");
        if let Some((end, _)) = text.char_indices().nth(letters) {
            text.replace_range(end.., "...");
        }
        format!("{:.4}\t{name}\t{text}", self.score).trim_end().to_owned() + "\n"
    }
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
                best.add(Hit { score, row: row as u64, id: None, text: None });
            }
        }
        let rows: Vec<u64> = best.hits.iter().map(|hit| hit.row).collect();
        assert_eq!(rows, [5, 1, 3]);
    }
}
