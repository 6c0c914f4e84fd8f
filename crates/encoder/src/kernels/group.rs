//! Neighbouring panels that are multiplied together, and what to prefetch meanwhile.
//!
//! The first tile that reads a group has to wait for memory, which delivers a panel to a core in about the time that
//! two tiles take to multiply it; later tiles find the group in the cache. All tiles of a group therefore share in
//! prefetching the next group. Two kinds of group are prefetched block by block instead, a little ahead of their use:
//! the first group of a part, which no tile has prefetched, and groups whose rows all fit into one tile.

/// A group of panels, within the part of a matrix that a thread works on.
#[derive(Clone, Copy)]
pub struct Group<'a, P> {
    /// The group's panels, followed by the rest of the part where that comes next in memory.
    pub panels: &'a [P],
    /// Number of blocks in a panel.
    pub blocks: usize,
    /// Number of panels in the group.
    pub count: usize,
    /// Whether this is the first group of its part.
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

/// Number of blocks between the one in use and the one prefetched: 9 KB of the smallest integer panels, 12 KB of the
/// largest. A tile reads a dozen rows besides the panel, which are more streams than the CPU's own prefetcher follows:
/// without this, 12 rows times weights in memory ran at 8 GB/s instead of 19 (Zen 5).
const AHEAD: usize = 16;
