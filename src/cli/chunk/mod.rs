//! Cuts texts into chunks of a model's tokens, at headings, paragraphs and sentences where they allow it.
//!
//! ```text
//! for each section, from one heading to the next
//!     cut it into paragraphs; those that are too long into sentences; those into words; those into letters
//!     put as many of these into a chunk as fit; the next one begins with the end of the last, if they shall overlap
//! ```
//! A chunk lies within one section, so that its heading is that of all of it. It is embedded after its headings, which
//! often say what it is about when it does not.

mod split;

use std::ops::Range;

use clap::Args;
use monomorph::tokenizer::Tokenizer;
use monomorph::{Unicode, built};

use super::failure::Failure;
use split::{Level, Section};
pub use split::{first_heading, header};

/// The arguments for cutting texts.
#[derive(Args, Debug)]
pub struct ChunkArgs {
    /// Cut each text into chunks of at most N tokens, prompt included: at headings (lines that begin with # or are
    /// underlined), paragraphs and sentences. Each is embedded after its headings. The output has a row for each chunk,
    /// with its headings, its number and its bytes in the text
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..))]
    chunk: Option<u32>,

    /// Begin a chunk with up to M tokens of the end of the one before it: whole sentences, unless they are too long
    #[arg(long, value_name = "M", requires = "chunk", default_value = "0")]
    overlap: u32,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Its bytes.
    pub range: Range<usize>,
    /// The headings above it, from the outermost; none before the first one.
    pub heading: Option<String>,
}

/// What share of a chunk's tokens its headings may have, and what share its text always has: one in so many.
const LEAST: usize = 4;

/// Cuts texts.
#[derive(Clone)]
pub struct Chunker {
    tokenizer: Tokenizer,
    unicode: Unicode,
    /// Tokens of a chunk, and how many it may share with the one before it.
    limit: usize,
    overlap: usize,
    /// Tokens that the model adds to every text.
    marks: usize,
}

/// What is put into a chunk or not as a whole.
struct Atom {
    range: Range<usize>,
    tokens: usize,
}

impl ChunkArgs {
    /// The chunker that was asked for.
    pub fn chunker(&self, unicode: Unicode) -> Result<Option<Chunker>, Failure> {
        let Some(limit) = self.chunk.map(|limit| limit as usize) else { return Ok(None) };
        let n_ctx = built::SPEC.n_ctx;
        if limit > n_ctx {
            return Err(Failure::Usage(format!(
                "--chunk {limit}: this model takes at most {n_ctx} tokens"
            )));
        }
        let overlap = self.overlap as usize;
        if overlap > limit / 2 {
            return Err(Failure::Usage(format!(
                "--overlap {overlap}: at most half of --chunk, which is {limit}"
            )));
        }
        Ok(Some(Chunker::new(built::tokenizer(), unicode, limit, overlap)))
    }

    /// What was asked for, for a checkpoint.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        let chunk = self.chunk.map(|limit| ("chunk", limit.to_string()));
        let overlap = Some(self.overlap).filter(|overlap| *overlap > 0);
        chunk.into_iter().chain(overlap.map(|tokens| ("overlap", tokens.to_string())))
    }

    pub fn is_given(&self) -> bool {
        self.chunk.is_some()
    }
}

impl Chunker {
    fn new(tokenizer: Tokenizer, unicode: Unicode, limit: usize, overlap: usize) -> Chunker {
        let marks = tokenizer.encode("", limit).ids.len();
        Chunker { tokenizer, unicode, limit, overlap, marks }
    }

    /// The chunks of a text that goes after this prefix, in order. There is at least one.
    pub fn cut(&self, prefix: &str, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for section in split::sections(text) {
            self.cut_section(prefix, text, &section, &mut pieces);
        }
        if pieces.is_empty() {
            pieces.push(Piece { range: 0..text.len(), heading: None });
        }
        pieces
    }

    fn cut_section(&self, prefix: &str, text: &str, section: &Section, pieces: &mut Vec<Piece>) {
        let heading = section.heading.as_deref();
        let before = self.marks + self.count(&format!("{prefix}{}", self.in_context(heading, "")));
        // A prefix may leave little room. A text is not cut into crumbs for it, but may be too long with it.
        let least = self.limit / LEAST;
        let mut budget = self.limit.saturating_sub(before).max(least);
        loop {
            let mut atoms = Vec::new();
            self.atoms(text, section.range.clone(), Level::Section, budget, &mut atoms);
            let ranges = self.pack(text, &atoms, budget);
            // The tokens of parts do not always add up to those of the whole.
            let over = ranges.iter().map(|range| {
                let whole = self.in_context(heading, &text[range.clone()]);
                let tokens = self.count(&format!("{prefix}{whole}"));
                (tokens + self.marks).saturating_sub(self.limit)
            });
            let over = over.max().unwrap_or(0);
            if over == 0 || budget == least {
                let heading = section.heading.clone();
                pieces.extend(
                    ranges.into_iter().map(|range| Piece { range, heading: heading.clone() }),
                );
                return;
            }
            budget = budget.saturating_sub(over).max(least);
        }
    }

    /// A chunk as it is embedded: after its headings, unless they are very long.
    pub fn in_context(&self, heading: Option<&str>, text: &str) -> String {
        match heading.filter(|heading| self.count(heading) <= self.limit / LEAST) {
            Some(heading) => format!("{heading}\n\n{text}"),
            None => text.to_owned(),
        }
    }

    /// The largest parts of a range that have at most `budget` tokens.
    fn atoms(
        &self,
        text: &str,
        range: Range<usize>,
        level: Level,
        budget: usize,
        atoms: &mut Vec<Atom>,
    ) {
        let tokens = self.count(&text[range.clone()]);
        match level.next().filter(|_| tokens > budget || level == Level::Section) {
            None => atoms.push(Atom { range, tokens }),
            Some(next) => {
                for part in split::parts(text, range, next) {
                    self.atoms(text, part, next, budget, atoms);
                }
            }
        }
    }

    /// Ranges of as many atoms as fit, without the white space at their ends.
    fn pack(&self, text: &str, atoms: &[Atom], budget: usize) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut open: Option<(Range<usize>, usize)> = None;
        for atom in atoms {
            open = Some(match open.take() {
                Some((range, tokens)) if tokens + atom.tokens <= budget => {
                    (range.start..atom.range.end, tokens + atom.tokens)
                }
                Some((range, _)) => {
                    let room = self.overlap.min(budget.saturating_sub(atom.tokens));
                    let (begin, shared) = self.tail(text, range.clone(), room);
                    ranges.push(range);
                    (begin..atom.range.end, shared + atom.tokens)
                }
                None => (atom.range.clone(), atom.tokens),
            });
        }
        ranges.extend(open.map(|(range, _)| range));
        let trimmed = ranges.into_iter().map(|range| split::trimmed(text, range));
        trimmed.filter(|range| !range.is_empty()).collect()
    }

    /// Where the last sentences of a range begin that have at most `most` tokens, and how many they have; its last words
    /// where no sentence is so short.
    fn tail(&self, text: &str, range: Range<usize>, most: usize) -> (usize, usize) {
        let (mut begin, mut tokens) = (range.end, 0);
        for level in [Level::Sentence, Level::Word] {
            for part in split::parts(text, range.clone(), level).into_iter().rev() {
                let more = self.count(&text[part.clone()]);
                if part.start == range.start || tokens + more > most {
                    break;
                }
                (begin, tokens) = (part.start, tokens + more);
            }
            if !text[begin..range.end].trim().is_empty() {
                break;
            }
            (begin, tokens) = (range.end, 0);
        }
        (begin, tokens)
    }

    /// Tokens of a text without the model's marks; of a very long one, more than fit a chunk.
    fn count(&self, text: &str) -> usize {
        let encoding = self.tokenizer.encode(&self.unicode.apply(text), self.limit);
        (encoding.ids.len() + encoding.dropped).saturating_sub(self.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str, limit: usize, overlap: usize) -> Vec<Piece> {
        let chunker = Chunker::new(built::tokenizer(), Unicode::None, limit, overlap);
        let pieces = chunker.cut("a: ", text);
        for Piece { range, heading } in &pieces {
            let text = chunker.in_context(heading.as_deref(), &text[range.clone()]);
            let text = format!("a: {text}");
            assert!(chunker.count(&text) + chunker.marks <= limit, "{text:?}");
        }
        pieces
    }

    fn texts<'a>(text: &'a str, pieces: &[Piece]) -> Vec<&'a str> {
        pieces.iter().map(|piece| &text[piece.range.clone()]).collect()
    }

    #[test]
    fn chunks_lie_within_sections() {
        let text = "Before.\n\n# Mars\n\n## Moons\nPhobos. Deimos.\n\n## Dust\nRed.\n";
        let pieces = chunks(text, 200, 0);
        let headings: Vec<Option<&str>> = pieces.iter().map(|p| p.heading.as_deref()).collect();
        assert_eq!(headings, [None, Some("Mars > Moons"), Some("Mars > Dust")]);
        let expected = ["Before.", "# Mars\n\n## Moons\nPhobos. Deimos.", "## Dust\nRed."];
        assert_eq!(texts(text, &pieces), expected);
    }

    #[test]
    fn nothing_is_lost() {
        let long = "A first sentence here. And a second one? Yes, there is a third! ".repeat(40);
        let word = "x".repeat(3000);
        let headed = format!("# {long}\n{long}");
        let cjk = "火星是红色的行星。金星很热。".repeat(60);
        for text in [&long, &word, &cjk, &format!("{long}\n\n{word}\n\n{cjk}"), &headed, "", " \n"]
        {
            for overlap in [0, 10] {
                let pieces = chunks(text, 40, overlap);
                let mut end = 0;
                for Piece { range, .. } in &pieces {
                    assert!(range.start <= end || text[end..range.start].trim().is_empty());
                    assert!(
                        range.end > end || text.trim().is_empty(),
                        "no chunk is another's part"
                    );
                    end = range.end;
                }
                assert!(text[end..].trim().is_empty());
                assert!(!pieces.is_empty());
            }
        }
    }

    #[test]
    fn chunks_overlap_by_sentences() {
        let text = (0..40).map(|i| format!("Here is sentence {i}. ")).collect::<String>();
        let (apart, over) = (chunks(&text, 60, 0), chunks(&text, 60, 20));
        assert!(over.len() > apart.len() && apart.len() > 1);
        for pair in over.windows(2) {
            let shared = &text[pair[1].range.start..pair[0].range.end];
            assert!(shared.starts_with("Here is") && shared.ends_with('.'), "{shared:?}");
        }
        assert!(texts(&text, &apart).iter().all(|chunk| chunk.starts_with("Here is")));
    }
}
