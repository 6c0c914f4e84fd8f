//! Neighbouring panels that are swept together, and what to prefetch meanwhile.
//!
//! The first tile that reads a group has to wait for memory, which gives a core one panel in about the time that two
//! tiles take for it; those after it find the group in the cache. So all tiles of a group share in asking for the next
//! one. The first group of a part, which nobody has asked for, and one that a single tile takes all rows through, are
//! asked for block by block, a little ahead.

/// A group of panels, within the part of a matrix that a thread works on.
#[derive(Clone, Copy)]
pub struct Group<'a, P> {
    /// The group's panels, and as many as follow it in memory and in the part.
    pub panels: &'a [P],
    /// Blocks of a panel.
    pub blocks: usize,
    /// Panels in the group.
    pub count: usize,
    /// Whether it is the first of its part.
    pub first: bool,
}

impl<'a, P> Group<'a, P> {
    /// Panel `p` of the group.
    #[inline(always)]
    pub fn panel(&self, p: usize) -> &'a [P] {
        &self.panels[p * self.blocks..(p + 1) * self.blocks]
    }

    /// The blocks to prefetch while `height` of `m` rows, from row `row` on, are multiplied by panel `p`.
    #[inline(always)]
    pub fn ahead(&self, m: usize, row: usize, height: usize, p: usize) -> &'a [P] {
        let range = if height == m || self.first && row == 0 {
            p * self.blocks + AHEAD..(p + 1) * self.blocks + AHEAD
        } else {
            let group = self.count * self.blocks;
            let share = |panel: usize| {
                group + group * (row * self.count + height * panel) / (m * self.count)
            };
            share(p)..share(p + 1)
        };
        let end = range.end.min(self.panels.len());
        &self.panels[range.start.min(end)..end]
    }
}

/// Blocks between the one in use and the one prefetched: 9 KB of the smallest panels, 12 of the largest. A tile reads a
/// dozen rows besides the panel, more streams than the CPU's own prefetcher follows: without this, 12 rows over weights
/// in memory ran at 8 GB/s, not 19 (Zen 5).
const AHEAD: usize = 16;
