//! Lines of a file or of standard input, as text.

use std::io::{BufRead, BufReader, Read};

use crate::cli::failure::Failure;

/// Limit of a line's length. A longer one is a mistake, such as a binary file, and is refused before it fills memory.
pub const MAX_LINE_BYTES: usize = 256 << 20;

/// What begins a text in UTF-8 that Windows wrote. It is no part of the text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes that are read at a time.
pub const BUFFER_BYTES: usize = 64 << 10;

/// Why the next line or record could not be read.
#[derive(Debug)]
pub enum Fault {
    /// One line or record is bad; reading can continue after it.
    Record {
        /// The file and the line.
        place: String,
        reason: String,
    },
    /// Reading cannot continue.
    Input(Failure),
}

/// Lines, without their ends.
pub struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    /// Lines read so far, which is the number of the current line, from 1.
    line: u64,
    /// Bytes read so far.
    bytes: u64,
}

impl Lines {
    pub fn new(reader: Box<dyn Read + Send>, name: String) -> Lines {
        Lines { reader: BufReader::with_capacity(BUFFER_BYTES, reader), name, line: 0, bytes: 0 }
    }

    /// The next line, without its line ending and, for the first, without a byte order mark.
    pub fn next_line(&mut self) -> Result<Option<String>, Fault> {
        let mut bytes = Vec::new();
        let mut limited = self.reader.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        limited.read_until(b'\n', &mut bytes).map_err(|error| self.unreadable(&error))?;
        self.bytes += bytes.len() as u64;
        self.line += 1;
        if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() > MAX_LINE_BYTES {
            if bytes.last() != Some(&b'\n') {
                let rest =
                    self.reader.skip_until(b'\n').map_err(|error| self.unreadable(&error))?;
                self.bytes += rest as u64;
            }
            return Err(self.fault(format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20)));
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

    /// Bytes of the lines that have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether reading the next line may block: the buffer is empty.
    pub fn is_drained(&self) -> bool {
        self.reader.buffer().is_empty()
    }

    /// The name of the line that was read last, for messages.
    pub fn place(&self) -> String {
        format!("{}, line {}", self.name, self.line)
    }

    /// The fault of the line that was read last.
    pub fn fault(&self, reason: String) -> Fault {
        Fault::Record { place: self.place(), reason }
    }

    fn unreadable(&self, error: &std::io::Error) -> Fault {
        Fault::Input(Failure::reading(&self.name, error))
    }

    fn invalid_utf8(&self, error: &std::string::FromUtf8Error) -> Fault {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let reason = format!("not valid UTF-8 at byte {} (0x{:02X})", at + 1, bytes[at]);
        match (self.line, utf16_hint(bytes)) {
            // The whole file is in another encoding.
            (1, Some(hint)) => {
                Fault::Input(Failure::Failed(format!("{}: {reason}{hint}", self.place())))
            }
            _ => self.fault(reason),
        }
    }
}

/// A hint for bytes that start with UTF-16's byte order mark.
pub(super) fn utf16_hint(bytes: &[u8]) -> Option<&'static str> {
    let marks = [[0xFF, 0xFE], [0xFE, 0xFF]];
    marks
        .iter()
        .any(|mark| bytes.starts_with(mark))
        .then_some("; it looks like UTF-16, which iconv -f UTF-16 -t UTF-8 converts")
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        match fault {
            Fault::Record { place, reason } => Failure::Failed(format!("{place}: {reason}")),
            Fault::Input(failure) => failure,
        }
    }
}
