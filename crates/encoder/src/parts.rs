//! How an operation is cut into parts for the threads of a team.

use crate::kernels::matmul::GROUP;
use crate::rows::TextRows;
use std::ops::Range;

/// Sizes of the parts of a product of `n` panels: first a long part for each thread, since weights stream fastest in
/// long runs, then short parts for the threads that finish first.
pub(crate) fn part_sizes(n: usize, threads: usize) -> impl Iterator<Item = usize> + Send {
    let fair = n.div_ceil(threads);
    let long = if threads == 1 { n } else { (fair - 1) / GROUP * GROUP };
    let short = (n - threads * long).div_ceil(threads).clamp(1, GROUP);
    std::iter::repeat_n(long, if long > 0 { threads } else { 0 }).chain(std::iter::repeat(short))
}

/// Splits `all` rows into parts of `size` rows; the last may be smaller.
pub(crate) fn parts_of(all: usize, size: usize) -> impl Iterator<Item = usize> + Send {
    (0..all).step_by(size).map(move |first| size.min(all - first))
}

/// Some neighbouring tokens of one text.
#[derive(Clone, Copy)]
pub(crate) struct TextPart {
    /// The text.
    pub text: TextRows,
    /// The part's first token, counted from the start of the text.
    pub first: usize,
    /// Number of tokens.
    pub len: usize,
}

/// Splits the rows of each text that lie in `range` into parts of `size` tokens.
pub(crate) fn parts_of_texts(
    texts: &[TextRows],
    range: Range<usize>,
    size: usize,
) -> impl Iterator<Item = TextPart> + Clone + Send + '_ {
    texts.iter().flat_map(move |text| {
        let begin = range.start.saturating_sub(text.start);
        let end = range.end.saturating_sub(text.start).min(text.len);
        (begin..end).step_by(size).map(move |first| TextPart {
            text: *text,
            first,
            len: size.min(end - first),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_enough_for_all_panels() {
        for n in 1..200 {
            for threads in 1..9 {
                let sizes: Vec<usize> = part_sizes(n, threads).take(n + threads).collect();
                assert!(sizes.iter().all(|size| *size > 0), "{n} over {threads}: {sizes:?}");
                assert!(sizes.iter().sum::<usize>() >= n, "{n} over {threads}: {sizes:?}");
                assert!(sizes[0] <= n.div_ceil(threads), "{n} over {threads}: {sizes:?}");
            }
        }
    }

    #[test]
    fn the_parts_of_ranges_are_all_tokens_of_all_texts() {
        let texts = [(0, 5), (5, 1), (6, 14)].map(|(start, len)| TextRows { start, len });
        for cut in 1..=20 {
            for size in 1..=6 {
                let ranges = [0..cut, cut..20];
                let parts = ranges.map(|range| parts_of_texts(&texts, range, size));
                let rows = parts.into_iter().flatten().flat_map(|part| {
                    assert!(part.len <= size && part.first + part.len <= part.text.len);
                    let start = part.text.start + part.first;
                    start..start + part.len
                });
                assert!(rows.eq(0..20), "cut at {cut}, parts of {size}");
            }
        }
    }
}
