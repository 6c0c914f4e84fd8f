//! Texts from a file or from standard input, a line each.

use std::io::Read;

use super::jsonl;
use super::lines::{Fault, Lines};
use super::{CHUNK_BYTES, CHUNK_TEXTS, InputFormat, Text};
use crate::cli::failure::Failure;

/// Texts of a file or of standard input.
pub struct Stream {
    lines: Lines,
    format: InputFormat,
    /// What ended the last chunk; the texts before it come first.
    failure: Option<Failure>,
}

impl Stream {
    pub fn new(reader: Box<dyn Read + Send>, name: String, format: InputFormat) -> Stream {
        Stream { lines: Lines::new(reader, name), format, failure: None }
    }

    /// A chunk ends early where the reader would have to wait for more, so that a program that sends
    /// one text and waits for its vector gets it.
    pub fn next_chunk(&mut self, chunk: &mut Vec<Text>) -> Result<(), Failure> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let mut bytes = 0;
        loop {
            match self.next_text() {
                Ok(Some(text)) => {
                    bytes += text.text.len();
                    chunk.push(text);
                }
                Ok(None) => return Ok(()),
                Err(fault) if chunk.is_empty() => return Err(fault.into()),
                Err(fault) => {
                    self.failure = Some(fault.into());
                    return Ok(());
                }
            }
            if chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES || self.lines.is_drained() {
                return Ok(());
            }
        }
    }

    fn next_text(&mut self) -> Result<Option<Text>, Fault> {
        while let Some(line) = self.lines.next_line()? {
            match self.format {
                InputFormat::Lines => {
                    return Ok(Some(Text { text: line, id: None }));
                }
                InputFormat::Jsonl if line.trim_ascii().is_empty() => {}
                InputFormat::Jsonl => {
                    let text = jsonl::parse(&line).map_err(|reason| self.lines.fault(reason))?;
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Id, Source};
    use super::*;

    fn read(bytes: &'static [u8], format: InputFormat) -> Result<Vec<Text>, String> {
        let stream = Stream::new(Box::new(bytes), "here".into(), format);
        Source::Stream(stream).read_all().map_err(|failure| format!("{failure:?}"))
    }

    fn lines(bytes: &'static [u8]) -> Vec<String> {
        read(bytes, InputFormat::Lines).unwrap().into_iter().map(|text| text.text).collect()
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
        let failure = read(b"fine\nb\xFFd\n", InputFormat::Lines).unwrap_err();
        assert!(failure.contains("here, line 2: not valid UTF-8 at byte 2 (0xFF)"), "{failure}");
        let failure = read(b"\xFF\xFEa\0", InputFormat::Lines).unwrap_err();
        assert!(failure.contains("UTF-16"), "{failure}");
    }

    #[test]
    fn jsonl_takes_text_and_id() {
        let texts = read(
            b"{\"text\":\"a\"}\r\n\n{\"id\":\"x\",\"text\":\"b\\n\",\"more\":[1]}\n{\"text\":\"\",\"id\":7}\n{\"text\":\"c\",\"id\":-7}\n{\"text\":\"d\",\"id\":null}",
            InputFormat::Jsonl,
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
            (&b"{\"text\":\"a\"}\n{\"id\":1}\n"[..], "line 2: column 8: missing field `text`"),
            (b"{\"text\":1}", "line 1: column 9: invalid type"),
            (b"{\"text\":\"a\",\"id\":1.5}", "id must be a string or an integer"),
            (b"{\"text\":\"\\ud800\"}", "line 1: column"),
            (b"plain", "line 1: column 1: expected value"),
        ] {
            let failure = read(bytes, InputFormat::Jsonl).unwrap_err();
            assert!(failure.contains(message) && !failure.contains("at line"), "{failure}");
        }
    }

    #[test]
    fn chunks_are_bounded() {
        let many = "x\n".repeat(3 * CHUNK_TEXTS).into_bytes();
        let long = format!("{}\n", "y".repeat(CHUNK_BYTES)).repeat(3).into_bytes();
        for (bytes, sizes) in [(many, vec![CHUNK_TEXTS; 3]), (long, vec![1; 3])] {
            let mut stream = Stream::new(
                Box::new(std::io::Cursor::new(bytes)),
                "here".into(),
                InputFormat::Lines,
            );
            let (mut chunk, mut seen) = (Vec::new(), Vec::new());
            loop {
                chunk.clear();
                stream.next_chunk(&mut chunk).unwrap();
                if chunk.is_empty() {
                    break;
                }
                seen.push(chunk.len());
            }
            assert_eq!(seen, sizes);
        }
    }
}
