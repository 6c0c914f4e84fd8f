//! The patterns by which byte-level BPE splits a text into words, written by hand over the table of characters.
//!
//! In the notation of the originals, where the first alternative that matches is taken:
//!
//! ```text
//! GPT-2   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! Qwen2   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//! ```
//!
//! In both, a word that has a letter or number ends where its run of letters or numbers does.

use monomorph_spec::Split;
use monomorph_spec::characters::Class;

use super::table::Table;

/// The length in bytes of the word that the text begins with; the text has at least one character.
#[inline]
pub fn word_length(table: &Table, split: Split, text: &str) -> usize {
    let reader = Reader { table, text };
    match split {
        Split::Gpt2 => reader.gpt2(),
        Split::Qwen2 => reader.qwen2(),
    }
}

#[derive(Clone, Copy)]
struct Reader<'t> {
    table: &'t Table,
    text: &'t str,
}

impl Reader<'_> {
    fn gpt2(self) -> usize {
        if let Some(length) = self.contraction(|c| c) {
            return length;
        }
        let space = usize::from(self.text.starts_with(' '));
        match self.class_at(space) {
            Some(class) if class != Class::Space => self.end_of_run(space, class),
            _ => self.white_space(),
        }
    }

    fn qwen2(self) -> usize {
        // Of what is no ASCII, only the long s folds to one of these letters.
        let fold = |c: char| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() };
        if let Some(length) = self.contraction(fold) {
            return length;
        }
        let Some(first) = self.text.chars().next() else { return 0 };
        let (class, after) = (self.table.entry(first).class(), first.len_utf8());
        match class {
            Class::Letter => self.end_of_run(after, Class::Letter),
            Class::Number => after,
            _ if !is_line_end(first) && self.class_at(after) == Some(Class::Letter) => {
                self.end_of_run(after, Class::Letter)
            }
            Class::Other => self.signs(0),
            Class::Space if first == ' ' && self.class_at(after) == Some(Class::Other) => {
                self.signs(after)
            }
            Class::Space => {
                let run = &self.text[..self.end_of_run(0, Class::Space)];
                run.rfind(is_line_end).map_or_else(|| self.white_space(), |last| last + 1)
            }
        }
    }

    /// The length of an English contraction's end, such as `'ll`, in letters that are folded first.
    #[inline]
    fn contraction(self, fold: impl Fn(char) -> char) -> Option<usize> {
        let mut rest = self.text.strip_prefix('\'')?.chars();
        let first = rest.next()?;
        let one = 1 + first.len_utf8();
        match fold(first) {
            's' | 't' | 'm' | 'd' => Some(one),
            'r' | 'v' if fold(rest.next()?) == 'e' => Some(one + 1),
            'l' if fold(rest.next()?) == 'l' => Some(one + 1),
            _ => None,
        }
    }

    /// The end of signs from `start` on and of the line ends that follow them.
    fn signs(self, start: usize) -> usize {
        let end = self.end_of_run(start, Class::Other);
        let line_ends = self.text[end..].bytes().take_while(|&byte| is_line_end(byte.into()));
        end + line_ends.count()
    }

    /// The end of white space that the text begins with. What follows takes its last character, if there are others.
    fn white_space(self) -> usize {
        let end = self.end_of_run(0, Class::Space);
        if end == self.text.len() {
            return end;
        }
        match self.text[..end].char_indices().next_back() {
            Some((last, _)) if last > 0 => last,
            _ => end,
        }
    }

    #[inline]
    fn class_at(self, at: usize) -> Option<Class> {
        self.text[at..].chars().next().map(|c| self.table.entry(c).class())
    }

    /// Where the characters of this class end that begin at `start`.
    #[inline]
    fn end_of_run(self, start: usize, class: Class) -> usize {
        let mut rest = self.text[start..].char_indices();
        let other = rest.find(|&(_, c)| self.table.entry(c).class() != class);
        other.map_or(self.text.len(), |(at, _)| start + at)
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\r' | '\n')
}
