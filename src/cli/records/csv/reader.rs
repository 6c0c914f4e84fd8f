//! Records of csv as bytes: the automaton of csv-core over memory that a long value can be taken out of.

use std::io::{self, Read};
use std::ops::Range;

use csv_core::ReadRecordResult;

use super::super::lines::BUFFER_BYTES;
use super::dialect::Dialect;
use super::watch::Watch;

/// By how much the memory of a record grows once it is so long. Twice as much would be more than a long value needs.
const STEP_BYTES: usize = 8 << 20;

/// Memory of a record that is kept for the next one.
const MAX_KEPT_BYTES: usize = 1 << 20;

pub struct Reader {
    core: csv_core::Reader,
    input: Watch,
    /// What has been read of the input, and which of it the automaton has not seen.
    buffer: Vec<u8>,
    unseen: Range<usize>,
    /// Bytes that the automaton has seen.
    position: u64,
    /// The values of the record one after another, and where each ends.
    values: Vec<u8>,
    ends: Vec<usize>,
    length: usize,
}

impl Reader {
    pub fn new(input: Watch, dialect: Dialect) -> Reader {
        let core = csv_core::ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .quoting(dialect.has_quotes)
            .build();
        Reader {
            core,
            input,
            buffer: vec![0; BUFFER_BYTES],
            unseen: 0..0,
            position: 0,
            values: Vec::new(),
            ends: Vec::new(),
            length: 0,
        }
    }

    /// Reads the next record; false where there is none.
    pub fn next(&mut self) -> io::Result<bool> {
        if self.values.len() > MAX_KEPT_BYTES {
            self.values = Vec::new();
        }
        self.length = 0;
        let mut used = 0;
        loop {
            if self.unseen.is_empty() {
                self.unseen = 0..self.input.read(&mut self.buffer)?;
            }
            let (result, seen, written, ended) = self.core.read_record(
                &self.buffer[self.unseen.clone()],
                &mut self.values[used..],
                &mut self.ends[self.length..],
            );
            self.unseen.start += seen;
            self.position += seen as u64;
            used += written;
            self.length += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    let more = self.values.len().clamp(1 << 10, STEP_BYTES);
                    self.values.resize(self.values.len() + more, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    self.ends.resize((2 * self.ends.len()).max(16), 0);
                }
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// Values of the record.
    pub fn len(&self) -> usize {
        self.length
    }

    pub fn value(&self, i: usize) -> &[u8] {
        self.range(i).map_or(&[], |range| &self.values[range])
    }

    /// A value, which the record then lacks, if it is long enough for a copy of it to count.
    pub fn take(&mut self, i: usize) -> Vec<u8> {
        let range = self.range(i).unwrap_or(0..0);
        if range.len() <= MAX_KEPT_BYTES {
            return self.values[range].to_vec();
        }
        let mut value = std::mem::take(&mut self.values);
        self.length = 0;
        value.truncate(range.end);
        value.drain(..range.start);
        value
    }

    fn range(&self, i: usize) -> Option<Range<usize>> {
        let begin = if i == 0 { 0 } else { *self.ends.get(i - 1)? };
        (i < self.length).then(|| begin..self.ends[i])
    }

    /// Bytes of the records so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn watch(&mut self) -> &mut Watch {
        &mut self.input
    }
}
