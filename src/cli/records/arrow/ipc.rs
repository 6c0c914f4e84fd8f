//! Arrow IPC, files and streams alike: a file has the messages of a stream between its magic and its footer.
//!
//! The arrow crate's own readers take the lengths of a message as they come, and so panic or run out of memory on a
//! damaged file. This one reads no more than there is, and has `check` compare a message with its body first.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, MessageHeader, root_as_message};
use arrow_schema::SchemaRef;

use super::super::source::Source;
use super::check;

const MAGIC: &[u8] = b"ARROW1";

/// Limit of what precedes a body; it has a few bytes for each column.
const MAX_METADATA_BYTES: usize = 64 << 20;

/// Words before a message's metadata: a mark that there is one, and its length.
const PREFIX_BYTES: usize = 8;
const MARK: [u8; 4] = [0xFF; 4];

/// The messages after the schema.
pub struct Batches {
    reader: BufReader<Box<dyn Read + Send>>,
    /// Bytes of the whole input, where they are known.
    bytes: Option<u64>,
    is_file: bool,
    schema: SchemaRef,
    decoder: FileDecoder,
    is_over: bool,
}

/// A message: its prefix and metadata, then its body.
struct Message {
    bytes: Vec<u8>,
    metadata: usize,
}

impl Batches {
    /// Reads the schema.
    pub fn open(source: Source) -> Result<Batches, String> {
        let (is_file, bytes) = (source.start.starts_with(MAGIC), source.bytes);
        let mut reader = BufReader::with_capacity(64 << 10, source.into_reader());
        if is_file {
            skip_magic(&mut reader)?;
        }
        let message = message(&mut reader, bytes)?.ok_or("it is empty")?;
        let parsed = message.parsed()?;
        let schema = parsed.header_as_schema().ok_or("it does not begin with a schema")?;
        if !schema.endianness().equals_to_target_endianness() {
            return Err("its bytes are in the other order than this machine's".to_owned());
        }
        let schema = Arc::new(fb_to_schema(schema));
        let decoder = FileDecoder::new(schema.clone(), parsed.version());
        Ok(Batches { reader, bytes, is_file, schema, decoder, is_over: false })
    }

    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads these columns only.
    pub fn project(&mut self, columns: Vec<usize>) {
        let none = FileDecoder::new(self.schema.clone(), arrow_ipc::MetadataVersion::V5);
        self.decoder = std::mem::replace(&mut self.decoder, none).with_projection(columns);
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, String> {
        while let Some(message) = message(&mut self.reader, self.bytes)? {
            let parsed = message.parsed()?;
            check::message(&parsed, message.body(), &self.schema)?;
            let (header, metadata) = (parsed.header_type(), message.metadata);
            let block = Block::new(0, metadata as i32, message.body().len() as i64);
            let buffer = Buffer::from_vec(message.bytes);
            let failed = |error: arrow_schema::ArrowError| error.to_string();
            match header {
                MessageHeader::DictionaryBatch => {
                    self.decoder.read_dictionary(&block, &buffer).map_err(failed)?;
                }
                MessageHeader::RecordBatch => {
                    return self.decoder.read_record_batch(&block, &buffer).map_err(failed);
                }
                other => return Err(format!("it has a message of an unknown kind, {other:?}")),
            }
        }
        match self.is_file && !self.has_footer()? {
            true => Err("it ends early: its footer is not whole".to_owned()),
            false => Ok(None),
        }
    }

    /// Whether the file ends as it must; one that was cut does not.
    fn has_footer(&mut self) -> Result<bool, String> {
        let mut footer = Vec::new();
        let mut limited = self.reader.by_ref().take(MAX_METADATA_BYTES as u64);
        limited.read_to_end(&mut footer).map_err(|error| error.to_string())?;
        Ok(footer.ends_with(MAGIC))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, String>;

    fn next(&mut self) -> Option<Result<RecordBatch, String>> {
        if self.is_over {
            return None;
        }
        let next = self.read().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Message {
    fn parsed(&self) -> Result<arrow_ipc::Message<'_>, String> {
        root_as_message(&self.bytes[PREFIX_BYTES..self.metadata])
            // The reason goes over several lines.
            .map_err(|_| "a message of it is damaged".to_owned())
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.metadata..]
    }
}

/// The magic is padded with zeros up to the first message.
fn skip_magic(reader: &mut impl BufRead) -> Result<(), String> {
    fill(reader, &mut [0; MAGIC.len()])?;
    for skipped in MAGIC.len().. {
        let buffer = reader.fill_buf().map_err(|error| error.to_string())?;
        match buffer.first() {
            Some(0) => reader.consume(1),
            _ if skipped.is_multiple_of(PREFIX_BYTES) => break,
            _ => return Err("a message of it is damaged".to_owned()),
        }
    }
    Ok(())
}

/// The next message; none at the end. No more is allocated than is there, or may be for all that is known.
fn message(reader: &mut impl Read, bytes: Option<u64>) -> Result<Option<Message>, String> {
    let mut word = [0; 4];
    let got = fill(reader, &mut word)?;
    if got == 0 {
        return Ok(None);
    }
    // Files of before 2019 have no mark.
    if got == word.len() && word == MARK && fill(reader, &mut word)? < word.len() {
        return Err(EARLY.to_owned());
    }
    let length = u32::from_le_bytes(word) as usize;
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_METADATA_BYTES {
        return Err(format!("a message of it claims {length} bytes of metadata"));
    }
    let mut all = [MARK, word].concat();
    append(reader, length as u64, &mut all)?;
    let mut message = Message { bytes: all, metadata: PREFIX_BYTES + length };
    let body = message.parsed()?.bodyLength();
    let body = u64::try_from(body).map_err(|_| format!("a message of it claims {body} bytes"))?;
    if bytes.is_some_and(|bytes| body > bytes) {
        return Err(format!("a message of it claims {body} bytes, more than the whole file has"));
    }
    if bytes.is_some() {
        message.bytes.reserve_exact(body as usize);
    }
    append(reader, body, &mut message.bytes)?;
    Ok(Some(message))
}

const EARLY: &str = "it ends early, inside a message";

/// Reads into a buffer as far as there is something to read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    let mut all = Vec::new();
    let mut limited = reader.by_ref().take(buffer.len() as u64);
    limited.read_to_end(&mut all).map_err(|error| error.to_string())?;
    buffer[..all.len()].copy_from_slice(&all);
    Ok(all.len())
}

fn append(reader: &mut impl Read, length: u64, all: &mut Vec<u8>) -> Result<(), String> {
    let read = reader.by_ref().take(length).read_to_end(all).map_err(|error| error.to_string())?;
    if (read as u64) < length { Err(EARLY.to_owned()) } else { Ok(()) }
}
