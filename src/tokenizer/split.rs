//! Splits a text into segments that can be tokenized independently.
//!
//! In pseudocode:
//!
//! ```text
//! at every character of the text:
//!     if a cut-out piece begins here (the longest one):  close the segment; emit the piece; continue after it
//!     replace a space by U+2581
//!     if no piece contains the last character and this one side by side:  close the segment
//!     append the character to the segment
//! ```
//!
//! Closing a segment merges it. No merge can cross from one segment to the next, so the result is that of the whole
//! text. Hardly any piece has U+2581 after another character, so segments are words.
//!
//! Runs of two or more spaces need no rule here: their pieces come first in the order of merging and, as runs of
//! literal U+2581, they are also among the cut-out pieces where they are no result of listed merges.

use monomorph_spec::vocab_layout::{Field, SPACE};

use super::Next;
use super::table::Table;

/// Characters that are merged together; reused from segment to segment.
pub trait Segment: Default {
    fn push(&mut self, c: char);
    fn n_chars(&self) -> usize;
    /// Forgets all but the last characters.
    fn keep_last(&mut self, n_chars: usize);
    /// Appends the segment's ids and empties it.
    fn merge_into(&mut self, table: &Table, ids: &mut Vec<u32>);
}

/// Appends the text's ids, asking `next` after each character or piece how to go on. False when the text was not read to
/// its end.
pub fn tokenize<S: Segment>(
    table: &Table,
    text: &str,
    ids: &mut Vec<u32>,
    next: &mut impl FnMut(usize, &mut Vec<u32>) -> Next,
) -> bool {
    let mut segment = S::default();
    let mut last = None;
    let mut rest = text.chars();
    if table.field(Field::SpacePrefix) != 0 && !text.is_empty() && table.cut_at(text).is_none() {
        segment.push(SPACE);
        last = Some(SPACE);
    }
    loop {
        let here = rest.as_str();
        if let Some((id, length)) = table.cut_at(here) {
            segment.merge_into(table, ids);
            ids.push(id);
            rest = here[length..].chars();
            last = None;
        } else {
            let Some(c) = rest.next() else { break };
            let c = if c == ' ' { SPACE } else { c };
            if last.is_some_and(|last| !table.may_join(last, c)) {
                segment.merge_into(table, ids);
            }
            segment.push(c);
            last = Some(c);
        }
        match next(segment.n_chars(), ids) {
            Next::Read => {}
            Next::KeepLast(n_chars) => segment.keep_last(n_chars),
            Next::Stop => break,
        }
    }
    segment.merge_into(table, ids);
    rest.as_str().is_empty()
}
