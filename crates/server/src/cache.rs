//! Rows of texts that were embedded before, the least recently used dropped first.
//!
//! The key is the ids themselves: prompt, truncation and Unicode form are in them. The value is the row before it is cut
//! or scaled, so that a text is found whatever dimensions are asked for. Nothing expires, since the model cannot change
//! while the server runs, and nothing is written to a disk.

use crate::metrics::Metrics;
use lru::LruCache;
use std::collections::hash_map::RandomState;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of an entry beside its ids and its row, roughly.
const ENTRY: usize = 160;

/// The rows.
pub struct Cache {
    most_bytes: usize,
    metrics: Arc<Metrics>,
    kept: Mutex<Kept>,
}

struct Kept {
    /// Clients choose the ids, so their hash has a random key.
    rows: LruCache<Box<[u32]>, Arc<[f32]>, RandomState>,
    bytes: usize,
}

impl Cache {
    /// A cache of so many bytes.
    pub fn new(most_bytes: usize, metrics: Arc<Metrics>) -> Cache {
        let rows = LruCache::unbounded_with_hasher(RandomState::new());
        Cache { most_bytes, metrics, kept: Mutex::new(Kept { rows, bytes: 0 }) }
    }

    /// The rows of texts, where they are known.
    pub fn find(&self, texts: &[Vec<u32>]) -> Vec<Option<Arc<[f32]>>> {
        let mut kept = self.lock();
        let rows: Vec<_> = texts.iter().map(|ids| kept.rows.get(ids.as_slice()).cloned()).collect();
        drop(kept);
        let hits = rows.iter().flatten().count();
        self.metrics.cached(hits, rows.len() - hits);
        rows
    }

    /// The row of a text that waits, if it became known meanwhile.
    pub fn get(&self, ids: &[u32]) -> Option<Arc<[f32]>> {
        self.lock().rows.get(ids).cloned()
    }

    /// Keeps a row, if it is one that an answer can have.
    pub fn keep(&self, ids: &[u32], row: &[f32]) {
        let bytes = size(ids, row);
        if bytes > self.most_bytes || !row.iter().all(|value| value.is_finite()) {
            return;
        }
        let mut kept = self.lock();
        if let Some((ids, row)) = kept.rows.push(ids.into(), row.into()) {
            kept.bytes -= size(&ids, &row);
        }
        kept.bytes += bytes;
        while kept.bytes > self.most_bytes
            && let Some((ids, row)) = kept.rows.pop_lru()
        {
            kept.bytes -= size(&ids, &row);
        }
        self.metrics.cache_bytes(kept.bytes);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(ids: &[u32], row: &[f32]) -> usize {
    ENTRY + size_of_val(ids) + size_of_val(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::fake::Fake;

    fn cache(entries: usize) -> Cache {
        let metrics = Arc::new(Metrics::new(Fake::new().facts()).unwrap());
        Cache::new(entries * size(&[0; 2], &[0.0; 8]), metrics)
    }

    #[test]
    fn the_least_recently_used_is_dropped() {
        let cache = cache(3);
        for id in 1..=3 {
            cache.keep(&[id, 0], &[id as f32; 8]);
        }
        assert_eq!(cache.get(&[1, 0]).as_deref(), Some(&[1.0; 8][..]));
        cache.keep(&[4, 0], &[4.0; 8]);
        let known = [1, 2, 3, 4].map(|id| cache.get(&[id, 0]).is_some());
        assert_eq!(known, [true, false, true, true]);
        // A longer text takes the place of more than one.
        cache.keep(&[5; 40], &[5.0; 8]);
        let known = [1, 3, 4].map(|id| cache.get(&[id, 0]).is_some());
        assert_eq!(known, [false, false, true]);
        assert!(cache.get(&[5; 40]).is_some());
    }

    #[test]
    fn what_is_kept_twice_counts_once() {
        let cache = cache(2);
        (0..10).for_each(|_| cache.keep(&[1, 0], &[1.0; 8]));
        cache.keep(&[2, 0], &[2.0; 8]);
        assert!(cache.get(&[1, 0]).is_some());
    }

    #[test]
    fn what_is_damaged_or_too_large_is_not_kept() {
        let cache = cache(2);
        cache.keep(&[1, 0], &[f32::NAN; 8]);
        cache.keep(&[0; 1000], &[1.0; 8]);
        assert!(cache.get(&[1, 0]).is_none() && cache.get(&[0; 1000]).is_none());
    }
}
