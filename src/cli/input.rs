//! Texts from the command line, a file or standard input, in chunks that bound memory.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;

use super::choice::some_of;
use super::failure::Failure;
use super::message;
use super::records::{Entry, Records, TableFormat, Told};

/// Texts of one call into the library: many enough to share the repacking of the weights, few enough
/// that input of any length needs little memory.
const CHUNK_TEXTS: usize = 512;
const CHUNK_BYTES: usize = 256 << 10;

/// The arguments for the texts.
#[derive(Args, Debug)]
pub struct InputArgs {
    /// Texts, one per argument; without any and without --input, standard input is read
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    texts: Vec<String>,

    /// Read texts from FILE, or from standard input if it is `-`: one per line, empty lines included
    #[arg(long, short, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Format of --input [default: what its content or its extension says, else lines; tables are for batch]
    #[arg(long, value_name = "FORMAT", value_parser = some_of(TableFormat::is_of_texts))]
    input_format: Option<TableFormat>,

    /// Leave out white space at both ends of each text
    #[arg(long)]
    trim: bool,
}

impl InputArgs {
    /// The file of the texts, or `-` for standard input; none if they are arguments.
    pub fn path(&self) -> Option<&Path> {
        let stdin = || Some(Path::new("-")).filter(|_| self.texts.is_empty());
        self.input.as_deref().or_else(stdin)
    }

    /// Opens the source of the texts.
    pub fn open(mut self) -> Result<Source, Failure> {
        // By the custom of other commands.
        if self.texts == ["-"] {
            self.input = Some(PathBuf::from("-"));
        }
        let is_file = |text: &&String| !text.is_empty() && Path::new(text).is_file();
        if let Some(text) = self.texts.iter().find(is_file) {
            message::note(format_args!(
                "the text {text:?} is also the name of a file; --input {text} reads its texts"
            ));
        }
        let mut source = match self.input {
            Some(path) => Source::open(&path, self.input_format, true),
            None if !self.texts.is_empty() => Ok(Source::new(Records::arguments(self.texts))),
            None if io::stdin().is_terminal() => Err(Failure::Usage(
                "no text: give TEXT, --input FILE, or text on standard input".into(),
            )),
            None => Source::open(Path::new("-"), self.input_format, true),
        }?;
        source.records = source.records.trimmed(self.trim);
        Ok(source)
    }
}

/// Texts, read in chunks.
pub struct Source {
    records: Records,
    /// The failure that ended the last chunk, to be returned after its texts.
    failure: Option<Failure>,
}

impl Source {
    pub fn new(records: Records) -> Source {
        Source { records, failure: None }
    }

    /// Opens a file, or standard input if the path is `-`; `has_option` where the command can be told its format.
    pub fn open(
        path: &Path,
        asked: Option<TableFormat>,
        has_option: bool,
    ) -> Result<Source, Failure> {
        let told = Told { asked, by_name: TableFormat::of(path), has_option, is_for_texts: true };
        let records = Records::texts(path, told, None)?;
        Ok(Source::new(records))
    }

    /// Replaces the contents of `chunk` with the next texts, or with none at the end. A chunk ends early where reading
    /// more may block, so that a program that sends one text and waits for its vector gets it.
    pub fn next_chunk(&mut self, chunk: &mut Vec<Entry>) -> Result<(), Failure> {
        chunk.clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut bytes = 0;
        loop {
            match self.records.next() {
                Ok(Some(entry)) => {
                    bytes += entry.text.len();
                    chunk.push(entry);
                }
                Ok(None) => return Ok(()),
                Err(fault) if chunk.is_empty() => return Err(fault.into()),
                Err(fault) => {
                    self.failure = Some(fault.into());
                    return Ok(());
                }
            }
            if chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES || self.records.is_drained() {
                return Ok(());
            }
        }
    }

    /// Reads all remaining texts.
    pub fn read_all(mut self) -> Result<Vec<Entry>, Failure> {
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        loop {
            self.next_chunk(&mut chunk)?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.append(&mut chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Id;
    use super::*;

    fn source(bytes: Vec<u8>, format: TableFormat) -> Result<Source, Failure> {
        let reader = Box::new(std::io::Cursor::new(bytes));
        Records::read(reader, "here".into(), format).map(Source::new)
    }

    fn read(bytes: &[u8], format: TableFormat) -> Result<Vec<Entry>, String> {
        let all = source(bytes.to_vec(), format).and_then(Source::read_all);
        all.map_err(|failure| format!("{failure:?}"))
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        read(bytes, TableFormat::Lines).unwrap().into_iter().map(|text| text.text).collect()
    }

    #[test]
    fn every_line_is_a_text() {
        assert_eq!(lines(b""), [""; 0]);
        assert_eq!(lines(b"\n"), [""]);
        assert_eq!(lines(b"a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b"a\r\nb\rc\r\n"), ["a", "b\rc"]);
        assert_eq!(lines(b"a\0b\n\xC2\x85\n"), ["a\0b", "\u{85}"]);
    }

    #[test]
    fn byte_order_mark_is_no_text() {
        assert_eq!(lines(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb"), ["a", "\u{FEFF}b"]);
        assert_eq!(lines(b"\xEF\xBB\xBF"), [""; 0]);
        assert_eq!(lines(b"\xEF\xBB\xBF\n"), [""]);
    }

    #[test]
    fn invalid_utf8_is_named_by_line_and_byte() {
        let failure = read(b"fine\nb\xFFd\n", TableFormat::Lines).unwrap_err();
        assert!(failure.contains("here, line 2: not valid UTF-8 at byte 2 (0xFF)"), "{failure}");
        let failure = read(b"\xFF\xFEa\0", TableFormat::Lines).unwrap_err();
        assert!(failure.contains("UTF-16"), "{failure}");
    }

    #[test]
    fn jsonl_takes_text_and_id() {
        let texts = read(
            b"{\"text\":\"a\"}\r\n\n{\"id\":\"x\",\"text\":\"b\\n\",\"more\":[1]}\n{\"text\":\"\",\"id\":7}\n{\"text\":\"c\",\"id\":-7}\n{\"text\":\"d\",\"id\":null}",
            TableFormat::Jsonl,
        )
        .unwrap();
        let ids: Vec<_> = texts.iter().map(|text| text.id.clone()).collect();
        assert_eq!(
            ids,
            [None, Some(Id::String("x".into())), Some(Id::Unsigned(7)), Some(Id::Signed(-7)), None]
        );
        assert_eq!(
            texts.iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
            ["a", "b\n", "", "c", "d"]
        );
    }

    #[test]
    fn jsonl_faults_are_named_by_line_and_column() {
        for (bytes, message) in [
            (&b"{\"text\":\"a\"}\n{\"id\":1}\n"[..], "line 2: no key `text`"),
            (b"{\"text\":1}", "line 1: `text` is a number, not a string"),
            (b"{\"text\":\"a\",\"text\":\"b\"}", "line 1: the key `text` is there twice"),
            (b"{\"text\":\"a\",\"id\":1", "line 1: not valid JSON at column 19: the line ends"),
            (b"{\"text\":\"\\ud800\"}", "line 1: not valid JSON at column 10: half of a surrogate"),
            (b"plain", "line 1: not valid JSON at column 1: expected value"),
            (b"[1]", "line 1: an array, not an object"),
        ] {
            let failure = read(bytes, TableFormat::Jsonl).unwrap_err();
            assert!(failure.contains(message) && !failure.contains("at line"), "{failure}");
        }
    }

    #[test]
    fn chunks_are_bounded() {
        let many = "x\n".repeat(3 * CHUNK_TEXTS).into_bytes();
        let long = format!("{}\n", "y".repeat(CHUNK_BYTES)).repeat(3).into_bytes();
        for (bytes, sizes) in [(many, vec![CHUNK_TEXTS; 3]), (long, vec![1; 3])] {
            let mut source = source(bytes, TableFormat::Lines).unwrap();
            let (mut chunk, mut seen) = (Vec::new(), Vec::new());
            loop {
                source.next_chunk(&mut chunk).unwrap();
                if chunk.is_empty() {
                    break;
                }
                seen.push(chunk.len());
            }
            assert_eq!(seen, sizes);
        }
    }
}
