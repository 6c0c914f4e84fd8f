//! Where a text may be cut: at headings, at blank lines, after sentences, between words and between letters.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// What stands between the headings above a text.
const BETWEEN: &str = " > ";

/// What code stands between.
const FENCES: [&str; 2] = ["```", "~~~"];

/// How finely a text is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    Section,
    Paragraph,
    Sentence,
    Word,
    Letter,
}

/// From one heading to the next.
#[derive(Debug)]
pub struct Section {
    pub range: Range<usize>,
    /// Its heading after those above it.
    pub heading: Option<String>,
}

impl Level {
    pub fn next(self) -> Option<Level> {
        match self {
            Level::Section => Some(Level::Paragraph),
            Level::Paragraph => Some(Level::Sentence),
            Level::Sentence => Some(Level::Word),
            Level::Word => Some(Level::Letter),
            Level::Letter => None,
        }
    }
}

/// The parts of a range, which together are all of it.
pub fn parts(text: &str, range: Range<usize>, level: Level) -> Vec<Range<usize>> {
    let part = &text[range.clone()];
    let begins = match level {
        Level::Section => Vec::new(),
        Level::Paragraph => paragraphs(part),
        Level::Sentence => sentences(part),
        Level::Word => words(part),
        Level::Letter => part.grapheme_indices(true).map(|(at, _)| at).collect(),
    };
    // The first part begins where the whole does, whatever comes before what was found.
    let mut begins: Vec<usize> = begins.into_iter().filter(|at| *at > 0).collect();
    begins.insert(0, 0);
    let ends = begins[1..].iter().copied().chain([part.len()]);
    begins.iter().zip(ends).map(|(begin, end)| range.start + begin..range.start + end).collect()
}

/// A range without the white space at its ends.
pub fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let begin = range.start + part.len() - part.trim_start().len();
    begin..begin + part.trim().len()
}

/// The sections of a text. One that has nothing but its heading is part of the next, if that is below it.
pub fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    // The headings above, with their levels, and whether only headings have come since the section began.
    let (mut above, mut is_bare): (Vec<(usize, &str)>, bool) = (Vec::new(), true);
    let (mut begin, mut heading) = (0, None);
    let mut at = 0;
    for (range, found) in headings(text) {
        is_bare &= text[at..range.start].trim().is_empty();
        let is_below = found.0 > above.last().map_or(usize::MAX, |(level, _)| *level);
        if !(is_bare && (is_below || heading.is_none())) {
            sections.push(Section { range: begin..range.start, heading: heading.take() });
            begin = range.start;
        }
        while above.pop_if(|(level, _)| *level >= found.0).is_some() {}
        above.push(found);
        let names: Vec<&str> = above.iter().map(|(_, name)| *name).collect();
        (heading, is_bare, at) = (Some(names.join(BETWEEN)), true, range.end);
    }
    sections.push(Section { range: begin..text.len(), heading });
    sections.retain(|section| !text[section.range.clone()].trim().is_empty());
    sections
}

/// The first heading of a text.
pub fn first_heading(text: &str) -> Option<&str> {
    headings(text).into_iter().map(|(_, (_, name))| name).find(|name| !name.is_empty())
}

/// The lines of a text, each with its place.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        at += line.len();
        (at - line.len(), line.trim_end_matches(['\n', '\r']))
    })
}

/// Where the lines of a YAML header are, between two lines of `---`, if a text begins with one.
pub fn header(text: &str) -> Option<Range<usize>> {
    let begin = text.find('\n')? + 1;
    if text[..begin].trim_end() != "---" {
        return None;
    }
    let ends = |(_, line): &(usize, &str)| matches!(line.trim_end(), "---" | "...");
    let (end, _) = lines(&text[begin..]).find(ends)?;
    Some(begin..begin + end)
}

/// A heading's lines, and its level and name.
type Heading<'a> = (Range<usize>, (usize, &'a str));

/// The headings of a text, as Markdown writes them.
fn headings(text: &str) -> Vec<Heading<'_>> {
    let mut headings = Vec::new();
    let header = header(text);
    let body = header.as_ref().map_or(0, |header| header.end);
    let mut fence: Option<&str> = None;
    // The line before, if it may be underlined: it begins a paragraph.
    let (mut above, mut is_after_blank): (Option<(usize, &str)>, bool) = (None, true);
    // The line that ends the header is no underline.
    let after = lines(&text[body..]).skip(usize::from(header.is_some()));
    for (at, line) in after.map(|(at, line)| (body + at, line)) {
        let (bare, end) = (line.trim(), at + line.len());
        let begins_fence = FENCES.into_iter().find(|mark| bare.starts_with(mark));
        match (fence, begins_fence) {
            (None, Some(mark)) => (fence, above) = (Some(mark), None),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => {
                if let Some(found) = numbered(line) {
                    headings.push((at..end, found));
                    above = None;
                } else if let (Some(level), Some((begin, name))) = (underline(bare), above) {
                    headings.push((begin..end, (level, name)));
                    above = None;
                } else {
                    above = Some((at, bare)).filter(|_| is_after_blank && !bare.is_empty());
                }
            }
        }
        is_after_blank = bare.is_empty();
    }
    headings
}

/// The level and the name of a heading whose line begins with number signs.
fn numbered(line: &str) -> Option<(usize, &str)> {
    let bare = line.trim_start_matches(' ');
    let name = bare.trim_start_matches('#');
    let level = bare.len() - name.len();
    let is_heading = line.len() - bare.len() <= 3
        && (1..=6).contains(&level)
        && (name.is_empty() || name.starts_with([' ', '\t']));
    is_heading.then(|| (level, name.trim().trim_end_matches('#').trim_end()))
}

/// The level of the heading that a line underlines.
fn underline(line: &str) -> Option<usize> {
    let is_all = |mark| line.len() >= 3 && line.chars().all(|c| c == mark);
    if is_all('=') {
        Some(1)
    } else if is_all('-') {
        Some(2)
    } else {
        None
    }
}

/// Where paragraphs begin: after blank lines, but not within code between fences.
fn paragraphs(text: &str) -> Vec<usize> {
    let (mut begins, mut fence, mut is_after_blank) = (Vec::new(), None, true);
    for (at, line) in lines(text) {
        let bare = line.trim();
        if is_after_blank && !bare.is_empty() && fence.is_none() {
            begins.push(at);
        }
        match (fence, FENCES.into_iter().find(|mark| bare.starts_with(mark))) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        is_after_blank = bare.is_empty();
    }
    begins
}

/// Where sentences begin. In prose a line feed is a space, but it ends the item of a list and a line of code.
fn sentences(text: &str) -> Vec<usize> {
    let is_fenced = FENCES.iter().any(|mark| text.trim_start().starts_with(mark));
    let is_code = is_fenced || text.starts_with("    ");
    let bytes = text.as_bytes();
    let goes_on = |at: usize| {
        bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphabetic() || *next >= 0x80)
    };
    let masked: String = match is_code {
        true => text.to_owned(),
        false => text
            .char_indices()
            .map(|(at, c)| if c == '\n' && goes_on(at) { ' ' } else { c })
            .collect(),
    };
    masked.split_sentence_bound_indices().map(|(at, _)| at).collect()
}

/// Where words begin, each with the white space before it, which tokenizers read together with it.
fn words(text: &str) -> Vec<usize> {
    let mut begins = Vec::new();
    let mut was_space = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() && !was_space {
            begins.push(at);
        }
        was_space = c.is_whitespace();
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Option<String>)> {
        let sections = sections(text).into_iter();
        sections.map(|section| (&text[section.range], section.heading)).collect()
    }

    #[test]
    fn headings_begin_sections() {
        let heading = |name: &str| Some(name.to_owned());
        assert_eq!(found("plain\n"), [("plain\n", None)]);
        assert_eq!(found(" \n"), []);
        assert_eq!(
            found("# A #\na\n### B\nb\n## C\nc\n# D"),
            [
                ("# A #\na\n", heading("A")),
                ("### B\nb\n", heading("A > B")),
                ("## C\nc\n", heading("A > C")),
                ("# D", heading("D")),
            ]
        );
        let underlined = "Top\n===\n\nSub\n---\ntext\n---\n";
        assert_eq!(found(underlined), [(underlined, heading("Top > Sub"))]);
        let not = "```sh\n# comment\n```\n#tag\n####### seven\n    # code\n";
        assert_eq!(found(not), [(not, None)]);
        let with_header = "---\ntitle: x\n# no heading\n---\n# A\na";
        let expected = [("---\ntitle: x\n# no heading\n---\n", None), ("# A\na", heading("A"))];
        assert_eq!(found(with_header), expected);
        assert_eq!(&with_header[header(with_header).unwrap()], "title: x\n# no heading\n");
        assert_eq!(first_heading(with_header), Some("A"));
    }

    #[test]
    fn parts_are_the_whole() {
        let text = "One. Two\ngoes on. Three!\n- item\n- item\n\n\nNext  word";
        for level in [Level::Paragraph, Level::Sentence, Level::Word, Level::Letter] {
            let parts = parts(text, 2..text.len(), level);
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start), "{level:?}");
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (2, text.len()), "{level:?}");
        }
        let of = |level| -> Vec<&str> {
            parts(text, 0..text.len(), level).into_iter().map(|part| &text[part]).collect()
        };
        assert_eq!(of(Level::Paragraph).len(), 2);
        assert_eq!(of(Level::Sentence)[..3], ["One. ", "Two\ngoes on. ", "Three!\n"]);
        assert_eq!(of(Level::Word)[..3], ["One.", " Two", "\ngoes"]);
    }
}
