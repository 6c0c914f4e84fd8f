//! Texts from a file or from standard input, a line each.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use super::{CHUNK_BYTES, CHUNK_TEXTS, InputFormat, Text};
use crate::cli::failure::Failure;

/// A longer line is no text but a mistake, such as a binary file. It is refused before it fills the memory.
const MAX_LINE_BYTES: usize = 256 << 20;

/// Lines of a file or of standard input.
pub struct Stream {
    reader: BufReader<Box<dyn Read>>,
    name: String,
    format: InputFormat,
    /// Lines read so far, so the number of the current line, counted from 1.
    line: u64,
    /// What ended the last chunk; the texts before it come first.
    failure: Option<Failure>,
}

impl Stream {
    pub fn new(reader: Box<dyn Read>, name: String, format: InputFormat) -> Stream {
        let reader = BufReader::with_capacity(64 << 10, reader);
        Stream { reader, name, format, line: 0, failure: None }
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
                Err(failure) if chunk.is_empty() => return Err(failure),
                Err(failure) => {
                    self.failure = Some(failure);
                    return Ok(());
                }
            }
            if chunk.len() >= CHUNK_TEXTS || bytes >= CHUNK_BYTES || self.reader.buffer().is_empty()
            {
                return Ok(());
            }
        }
    }

    fn next_text(&mut self) -> Result<Option<Text>, Failure> {
        while let Some(line) = self.next_line()? {
            match self.format {
                InputFormat::Lines => {
                    return Ok(Some(Text { text: line, id: None }));
                }
                InputFormat::Jsonl if line.trim_ascii().is_empty() => {}
                InputFormat::Jsonl => return self.parse(&line).map(Some),
            }
        }
        Ok(None)
    }

    /// The next line without its end, nor a byte order mark on the first.
    fn next_line(&mut self) -> Result<Option<String>, Failure> {
        let mut bytes = Vec::new();
        let mut limited = self.reader.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        limited
            .read_until(b'\n', &mut bytes)
            .map_err(|error| Failure::reading(&self.name, &error))?;
        self.line += 1;
        if self.line == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Err(self.failure(format_args!("longer than {} MiB", MAX_LINE_BYTES >> 20)));
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        match String::from_utf8(bytes) {
            Ok(line) => Ok(Some(line)),
            Err(error) => Err(self.invalid_utf8(&error)),
        }
    }

    fn parse(&self, line: &str) -> Result<Text, Failure> {
        serde_json::from_str(line).map_err(|error| {
            let message = error.to_string();
            // serde_json counts lines within what it was given, which is one line here.
            let reason =
                message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
            self.failure(format_args!("column {}: {reason}", error.column()))
        })
    }

    fn invalid_utf8(&self, error: &std::string::FromUtf8Error) -> Failure {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let hint = match (self.line, bytes) {
            (1, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) => {
                "; it looks like UTF-16, which iconv -t UTF-8 converts"
            }
            _ => "",
        };
        self.failure(format_args!("not valid UTF-8 at byte {} (0x{:02X}){hint}", at + 1, bytes[at]))
    }

    fn failure(&self, what: fmt::Arguments<'_>) -> Failure {
        Failure::Failed(format!("{}, line {}: {what}", self.name, self.line))
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
