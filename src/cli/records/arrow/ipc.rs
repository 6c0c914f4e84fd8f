//! Arrow IPC, files and streams: the same messages, which a file's footer lists.
//!
//! The arrow crate's own readers take the lengths of a message as they come, and so panic or run out of memory on a
//! damaged file. This one reads no more than there is, and has `check` compare a message with its body first.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, MessageHeader, MetadataVersion, root_as_footer, root_as_message};
use arrow_schema::SchemaRef;

use super::super::source::Source;
use super::check;

/// How a file begins and ends.
pub const MAGIC: &[u8] = b"ARROW1";

/// Limit of what precedes a body, and of a footer; they have a few bytes for each column or message.
const MAX_METADATA_BYTES: usize = 64 << 20;

/// What precedes a message's metadata: a mark that there is one, and its length.
const MARK: [u8; 4] = [0xFF; 4];

/// The batches of a file or stream.
pub struct Batches {
    messages: Messages,
    schema: SchemaRef,
    version: MetadataVersion,
    decoder: FileDecoder,
    is_over: bool,
}

/// Where messages come from.
enum Messages {
    Stream(BufReader<Box<dyn Read + Send>>),
    /// A file, and where its messages are in it, dictionaries first.
    File(File, VecDeque<Block>),
}

/// A message: its metadata with what precedes it, then its body.
struct Message {
    bytes: Vec<u8>,
    metadata: usize,
}

impl Batches {
    /// Reads the schema of a stream.
    pub fn open_stream(source: Source) -> Result<Batches, String> {
        let mut reader = BufReader::with_capacity(64 << 10, source.into_reader());
        let message = next(&mut reader)?.ok_or("it is empty")?;
        let parsed = message.parsed()?;
        let schema = parsed.header_as_schema().ok_or("it does not begin with a schema")?;
        Batches::new(Messages::Stream(reader), schema, parsed.version())
    }

    /// Reads the footer of a file.
    pub fn open_file(mut file: File) -> Result<Batches, String> {
        const CUT: &str = "it ends early: its footer is not whole";
        let bytes = file.metadata().map_err(|error| error.to_string())?.len();
        let end = bytes.checked_sub(4 + MAGIC.len() as u64).ok_or(CUT)?;
        let (length, magic) = {
            let tail = read_at(&mut file, end, 4 + MAGIC.len())?;
            let (length, magic) = tail.split_first_chunk().ok_or(CUT)?;
            (u32::from_le_bytes(*length) as usize, magic == MAGIC)
        };
        let begin = end.checked_sub(length as u64).filter(|_| length <= MAX_METADATA_BYTES);
        let (Some(begin), true) = (begin, magic) else { return Err(CUT.to_owned()) };
        let footer = read_at(&mut file, begin, length)?;
        let footer = root_as_footer(&footer).map_err(|_| "its footer is damaged")?;
        let schema = footer.schema().ok_or("its footer lacks a schema")?;
        let blocks = footer.dictionaries().into_iter().flatten();
        let blocks: VecDeque<Block> =
            blocks.chain(footer.recordBatches().into_iter().flatten()).copied().collect();
        let is_inside = |block: &Block| {
            let length = i64::from(block.metaDataLength()).checked_add(block.bodyLength())?;
            let end = u64::try_from(block.offset().checked_add(length)?).ok()?;
            let is_sane =
                block.offset() >= 0 && block.metaDataLength() > 0 && block.bodyLength() >= 0;
            Some(is_sane && end <= bytes)
        };
        if !blocks.iter().all(|block| is_inside(block).unwrap_or(false)) {
            return Err("a message of it lies outside of the file".to_owned());
        }
        Batches::new(Messages::File(file, blocks), schema, footer.version())
    }

    fn new(
        messages: Messages,
        schema: arrow_ipc::Schema<'_>,
        version: MetadataVersion,
    ) -> Result<Batches, String> {
        if !schema.endianness().equals_to_target_endianness() {
            return Err("its bytes are in the other order than this machine's".to_owned());
        }
        let schema = Arc::new(fb_to_schema(schema));
        let decoder = FileDecoder::new(schema.clone(), version);
        Ok(Batches { messages, schema, version, decoder, is_over: false })
    }

    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Reads these columns only.
    pub fn project(&mut self, columns: Vec<usize>) {
        let decoder = FileDecoder::new(self.schema.clone(), self.version);
        self.decoder = decoder.with_projection(columns);
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, String> {
        while let Some(message) = self.messages.next()? {
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
        Ok(None)
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

impl Messages {
    fn next(&mut self) -> Result<Option<Message>, String> {
        match self {
            Messages::Stream(reader) => next(reader),
            Messages::File(file, blocks) => {
                let Some(block) = blocks.pop_front() else { return Ok(None) };
                // They were compared with the file's length.
                let metadata = block.metaDataLength() as usize;
                let length = metadata + block.bodyLength() as usize;
                let bytes = read_at(file, block.offset() as u64, length)?;
                Ok(Some(Message { bytes, metadata }))
            }
        }
    }
}

impl Message {
    fn parsed(&self) -> Result<arrow_ipc::Message<'_>, String> {
        // Files of before 2019 have no mark.
        let prefix = if self.bytes.starts_with(&MARK) { 8 } else { 4 };
        let metadata = self.bytes.get(prefix..self.metadata).unwrap_or_default();
        // The library's reason goes over several lines.
        root_as_message(metadata).map_err(|_| "a message of it is damaged".to_owned())
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.metadata..]
    }
}

/// The next message of a stream; none at its end. No more is allocated than is there.
fn next(reader: &mut impl Read) -> Result<Option<Message>, String> {
    let mut bytes = Vec::new();
    if append(reader, 4, &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes == MARK {
        append(reader, 4, &mut bytes)?;
    }
    let length = bytes.last_chunk().map_or(0, |length| u32::from_le_bytes(*length)) as usize;
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_METADATA_BYTES {
        return Err(format!("a message of it claims {length} bytes of metadata"));
    }
    append(reader, length as u64, &mut bytes)?;
    let metadata = bytes.len();
    let mut message = Message { bytes, metadata };
    let body = message.parsed()?.bodyLength();
    let body = u64::try_from(body).map_err(|_| format!("a message of it claims {body} bytes"))?;
    append(reader, body, &mut message.bytes)?;
    Ok(Some(message))
}

/// Reads so many bytes, or none at the end.
fn append(reader: &mut impl Read, length: u64, all: &mut Vec<u8>) -> Result<usize, String> {
    let read = reader.by_ref().take(length).read_to_end(all).map_err(|error| error.to_string())?;
    match read as u64 == length || (read == 0 && all.is_empty()) {
        true => Ok(read),
        false => Err("it ends early, inside a message".to_owned()),
    }
}

/// Reads a part of a file that is there.
fn read_at(file: &mut File, at: u64, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|error| error.to_string())
}
