//! The bytes of a csv on their way to its reader, and what that reader does not tell: in which line a record begins, and
//! whether the quotes are in order. It takes quotes as they come: one that is not closed swallows the records after it.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::dialect::Dialect;
use crate::cli::records::lines::MAX_LINE_BYTES;

pub struct Watch {
    input: Box<dyn Read + Send>,
    quotes: Quotes,
    /// Bytes read.
    read: u64,
    /// Whether the line that is being read is blank so far.
    is_blank: bool,
    /// The ends of lines after those that are counted, and whether the line before is blank. The reader counts a line
    /// feed that follows a carriage return, and blank lines, only with the record after them.
    ends: VecDeque<(u64, bool)>,
    counted: u64,
}

/// Follows values and their quotes, byte by byte, as the reader does.
struct Quotes {
    dialect: Dialect,
    state: State,
    /// Where the value begins, and in which line, from 1.
    begin: u64,
    begin_line: u64,
    line: u64,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the first byte of a value.
    Start,
    Plain,
    Quoted,
    /// After a quote inside a quoted value: its end, or the first half of a doubled one.
    Quote,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Where the value begins, and in which line.
    begin: u64,
    pub line: u64,
    pub wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wrong {
    /// Its quote is not closed.
    Unclosed,
    /// More follows its closing quote.
    Torn,
    /// It goes over several lines, which is doubtful.
    Spans,
    /// It would fill memory.
    Long,
}

impl Watch {
    /// Watches a csv whose first line is this one.
    pub fn new(input: Box<dyn Read + Send>, dialect: Dialect, first_line: u64) -> Watch {
        let quotes = Quotes {
            dialect,
            state: State::Start,
            begin: 0,
            begin_line: first_line,
            line: first_line,
            fault: None,
        };
        let (ends, counted) = (VecDeque::new(), first_line - 1);
        Watch { input, quotes, read: 0, is_blank: true, ends, counted }
    }

    /// The line, from 1, of the record that was searched for from this byte on.
    pub fn line_of(&mut self, start: u64) -> u64 {
        while self.ends.pop_front_if(|&mut (end, is_blank)| end <= start || is_blank).is_some() {
            self.counted += 1;
        }
        self.counted + 1
    }

    /// What is wrong with the values before this byte.
    pub fn fault_before(&self, end: u64) -> Option<Fault> {
        self.quotes.fault.filter(|fault| fault.begin < end)
    }
}

impl Read for Watch {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What follows cannot be told apart any more.
        if self.quotes.fault.is_some() {
            return Ok(0);
        }
        let n = self.input.read(buffer)?;
        for (at, byte) in (self.read..).zip(&buffer[..n]) {
            match byte {
                b'\n' => {
                    self.ends.push_back((at, self.is_blank));
                    self.is_blank = true;
                }
                b'\r' => {}
                _ => self.is_blank = false,
            }
            self.quotes.see(*byte, at);
        }
        if n == 0 && !buffer.is_empty() {
            self.quotes.end();
        }
        self.read += n as u64;
        Ok(n)
    }
}

impl Quotes {
    fn see(&mut self, byte: u8, at: u64) {
        let ends = byte == self.dialect.delimiter || byte == b'\n' || byte == b'\r';
        self.state = match (self.state, byte) {
            (State::Start, b'"') if self.dialect.has_quotes => State::Quoted,
            (State::Quoted, b'"') => State::Quote,
            (State::Quote, b'"') => State::Quoted,
            (State::Quoted, b'\n') if !self.dialect.spans_lines => {
                self.is_wrong(Wrong::Spans);
                State::Quoted
            }
            (State::Quoted, _) => State::Quoted,
            _ if ends => State::Start,
            (State::Quote, _) => {
                self.is_wrong(Wrong::Torn);
                State::Plain
            }
            _ => State::Plain,
        };
        self.line += u64::from(byte == b'\n');
        if self.state == State::Start {
            (self.begin, self.begin_line) = (at + 1, self.line);
        } else if at - self.begin == MAX_LINE_BYTES as u64 {
            self.is_wrong(Wrong::Long);
        }
    }

    fn end(&mut self) {
        if self.state == State::Quoted {
            self.is_wrong(Wrong::Unclosed);
        }
    }

    /// The first fault counts.
    fn is_wrong(&mut self, wrong: Wrong) {
        let fault = Fault { begin: self.begin, line: self.begin_line, wrong };
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::DialectArgs;
    use super::*;

    fn fault(bytes: &[u8], delimiter: u8) -> Option<(u64, Wrong)> {
        let dialect = DialectArgs::default().dialect(delimiter);
        let mut watch = Watch::new(Box::new(io::Cursor::new(bytes.to_vec())), dialect, 1);
        io::copy(&mut watch, &mut io::sink()).unwrap();
        watch.fault_before(u64::MAX).map(|fault| (fault.line, fault.wrong))
    }

    #[test]
    fn quotes_in_order_are_no_fault() {
        for bytes in [
            &b""[..],
            b"a,b\n1,\"x, \"\"y\"\" z\"\n\"\",\"\"\"\"\r\n",
            b"a\n\"over\nlines\"",
            b"5\" pipe,he said \"so\"\n",
        ] {
            assert_eq!(fault(bytes, b','), None, "{bytes:?}");
        }
    }

    #[test]
    fn faults_are_named_by_the_line_of_the_quote() {
        for (bytes, delimiter, expected) in [
            (&b"a,b\n1,\"x\n2,y\n"[..], b',', (2, Wrong::Unclosed)),
            (b"a,b\n1,\"x\n2,\"y\"\n", b',', (2, Wrong::Torn)),
            (b"a,b\n\n1,\"x\" y\n", b',', (3, Wrong::Torn)),
            (b"a\tb\n1\t\"x\n2\ty\"\n", b'\t', (2, Wrong::Spans)),
            (b"a\n\"", b',', (2, Wrong::Unclosed)),
        ] {
            assert_eq!(fault(bytes, delimiter), Some(expected), "{bytes:?}");
        }
    }
}
