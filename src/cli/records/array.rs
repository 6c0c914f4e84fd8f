//! One JSON array of objects, an object at a time.

use std::io::{BufRead, BufReader, Read};

use super::jsonl;
use super::lines::{BUFFER_BYTES, BYTE_ORDER_MARK, Fault, MAX_LINE_BYTES};
use super::{Fields, TableReader, Wanted};
use crate::cli::failure::Failure;

pub struct Array {
    reader: BufReader<Box<dyn Read + Send>>,
    name: String,
    wanted: Wanted,
    /// Bytes read so far, and the line that they end in, from 1.
    bytes: u64,
    line: u64,
    /// Objects read so far.
    objects: u64,
    is_over: bool,
}

impl Array {
    pub fn new(reader: Box<dyn Read + Send>, name: String, wanted: Wanted) -> Array {
        let reader = BufReader::with_capacity(BUFFER_BYTES, reader);
        Array { reader, name, wanted, bytes: 0, line: 1, objects: 0, is_over: false }
    }

    /// The next byte, unless that is the end.
    fn byte(&mut self) -> Result<Option<u8>, Fault> {
        let byte = match self.reader.fill_buf() {
            Ok(buffer) => buffer.first().copied(),
            Err(error) => return Err(Fault::Input(Failure::reading(&self.name, &error))),
        };
        if let Some(byte) = byte {
            self.reader.consume(1);
            self.bytes += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    /// The next byte that is no white space.
    fn mark(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.byte()? {
                Some(b' ' | b'\t' | b'\r' | b'\n') => {}
                // The mark at the very beginning.
                Some(byte) if self.bytes <= 3 && BYTE_ORDER_MARK.contains(&byte) => {}
                other => return Ok(other),
            }
        }
    }

    /// The text of the value that begins with this byte, up to where its brackets are closed.
    fn value(&mut self, first: u8) -> Result<Vec<u8>, Fault> {
        let (mut value, mut depth) = (vec![first], 1);
        let (mut in_string, mut is_escaped) = (false, false);
        while depth > 0 {
            let Some(byte) = self.byte()? else {
                return Err(self.broken("the array is not closed"));
            };
            if value.len() == MAX_LINE_BYTES {
                return Err(self.broken("one object is longer than 256 MiB"));
            }
            value.push(byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = in_string,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
        }
        Ok(value)
    }

    /// Where the array is broken, the next object cannot be found.
    fn broken(&self, reason: &str) -> Fault {
        Fault::Input(Failure::Failed(format!("{}, line {}: {reason}", self.name, self.line)))
    }
}

impl TableReader for Array {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let before = if self.objects == 0 { b'[' } else { b',' };
        match self.mark()? {
            Some(b']') if self.objects > 0 => self.is_over = true,
            Some(mark) if mark == before => {}
            None if self.bytes == 0 => self.is_over = true,
            None => return Err(self.broken("the array is not closed")),
            Some(_) if self.objects == 0 => {
                return Err(self.broken("not a JSON array; --input-format says what it is"));
            }
            Some(_) => return Err(self.broken("expected `,` or `]` after an object")),
        }
        let first = if self.is_over { None } else { self.mark()? };
        match first {
            Some(b']') if self.objects == 0 => self.is_over = true,
            Some(b'{') | None => {}
            Some(_) => return Err(self.broken("not an object: the array must consist of objects")),
        }
        if self.is_over {
            return match self.mark()? {
                None => Ok(None),
                Some(_) => Err(self.broken("more follows the array")),
            };
        }
        let Some(first) = first else { return Err(self.broken("the array is not closed")) };
        let line = self.line;
        self.objects += 1;
        let value = self.value(first)?;
        let place = format!("{}, line {line}", self.name);
        let fields = match String::from_utf8(value) {
            Ok(value) => jsonl::fields(value, &place, &self.wanted),
            Err(_) => Err("not valid UTF-8".to_owned()),
        };
        fields.map(Some).map_err(|reason| Fault::Record { place, reason })
    }

    fn position(&self) -> u64 {
        self.bytes
    }

    fn is_drained(&self) -> bool {
        self.reader.buffer().is_empty()
    }
}
