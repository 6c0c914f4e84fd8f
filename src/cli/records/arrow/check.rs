//! Compares what an IPC message says of its body with the body and the schema, before the arrow crate trusts it.

use std::io;

use arrow_ipc::{CompressionType, Message, RecordBatch};
use arrow_schema::{DataType, Field, Schema, UnionMode};

/// Rows of a batch, and values of an array. No writer makes more, and products with them do not overflow.
const MAX_ROWS: i64 = i32::MAX as i64;

/// A buffer that says it unpacks to more than this is unpacked for its length alone first.
const MAX_TRUSTED_BYTES: u64 = 16 << 20;

/// LZ4's best: a byte that says 255 more.
const LZ4_RATIO: u64 = 255;

/// Checks a message of records or of a dictionary.
pub fn message(message: &Message<'_>, body: &[u8], schema: &Schema) -> Result<(), String> {
    if let Some(records) = message.header_as_record_batch() {
        let fields = schema.fields().iter().map(|field| field.as_ref());
        return batch(&records, body, &fields.collect::<Vec<_>>(), message.version().0 < 4);
    }
    let Some(dictionary) = message.header_as_dictionary_batch() else { return Ok(()) };
    let records = dictionary.data().ok_or("a dictionary of it has no values")?;
    // The crate's own way from a dictionary to its column.
    #[allow(deprecated)]
    let users = schema.fields_with_dict_id(dictionary.id());
    match users.first().map(|field| field.data_type()) {
        Some(DataType::Dictionary(_, values)) => {
            let values = Field::new("", values.as_ref().clone(), true);
            batch(&records, body, &[&values], message.version().0 < 4)
        }
        _ => Err("a dictionary of it belongs to no column".to_owned()),
    }
}

/// Arrays, buffers and buffers of views of some columns.
#[derive(Default)]
struct Parts {
    nodes: usize,
    buffers: usize,
    views: usize,
}

fn batch(
    records: &RecordBatch<'_>,
    body: &[u8],
    fields: &[&Field],
    unions_have_nulls: bool,
) -> Result<(), String> {
    let mut expected = Parts::default();
    fields.iter().for_each(|field| expected.add(field.data_type(), unions_have_nulls));
    let views: Vec<i64> = records.variadicBufferCounts().into_iter().flatten().collect();
    if views.len() != expected.views || views.iter().any(|n| !(0..=MAX_ROWS).contains(n)) {
        return Err("a batch of it has other views than its schema says".to_owned());
    }
    let in_views: i64 = views.iter().sum();
    let nodes = records.nodes().ok_or("a batch of it lacks its arrays")?;
    let buffers = records.buffers().ok_or("a batch of it lacks its buffers")?;
    if nodes.len() != expected.nodes || buffers.len() as i64 != expected.buffers as i64 + in_views {
        return Err("a batch of it has other arrays than its schema says".to_owned());
    }
    let lengths = nodes.iter().flat_map(|node| [node.length(), node.null_count()]);
    if lengths.chain([records.length()]).any(|length| !(0..=MAX_ROWS).contains(&length)) {
        return Err("a batch of it claims an impossible number of rows".to_owned());
    }
    let packing = records.compression().map(|packing| packing.codec());
    for buffer in buffers {
        let place =
            usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let range = place.and_then(|(offset, length)| Some(offset..offset.checked_add(length)?));
        let bytes = range
            .and_then(|range| body.get(range))
            .ok_or("a buffer of it lies outside of its message")?;
        if let (Some(packing), false) = (packing, bytes.is_empty()) {
            unpacks(bytes, packing)?;
        }
    }
    Ok(())
}

/// Checks the length that a packed buffer says it unpacks to, which is allocated at once.
fn unpacks(bytes: &[u8], packing: CompressionType) -> Result<(), String> {
    let too_long = || "a buffer of it claims to unpack to more than it can".to_owned();
    let (length, packed) = bytes.split_first_chunk().ok_or_else(too_long)?;
    let length = match i64::from_le_bytes(*length) {
        // It is not packed.
        -1 => return Ok(()),
        length => u64::try_from(length).map_err(|_| too_long())?,
    };
    let is_possible = match packing {
        _ if length <= MAX_TRUSTED_BYTES => true,
        CompressionType::LZ4_FRAME => length <= packed.len() as u64 * LZ4_RATIO,
        CompressionType::ZSTD => {
            let decoder = zstd::Decoder::with_buffer(packed).map_err(|error| error.to_string())?;
            let unpacked = io::copy(&mut io::Read::take(decoder, length + 1), &mut io::sink());
            unpacked.is_ok_and(|unpacked| unpacked == length)
        }
        _ => true,
    };
    if is_possible { Ok(()) } else { Err(too_long()) }
}

impl Parts {
    /// Counts those of a column: <https://arrow.apache.org/docs/format/Columnar.html#recordbatch-message>
    fn add(&mut self, kind: &DataType, unions_have_nulls: bool) {
        self.nodes += 1;
        let children: Vec<&Field> = match kind {
            DataType::Null => Vec::new(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                self.buffers += 3;
                Vec::new()
            }
            DataType::Utf8View | DataType::BinaryView => {
                self.buffers += 2;
                self.views += 1;
                Vec::new()
            }
            DataType::List(item) | DataType::LargeList(item) | DataType::Map(item, _) => {
                self.buffers += 2;
                vec![item]
            }
            DataType::ListView(item) | DataType::LargeListView(item) => {
                self.buffers += 3;
                vec![item]
            }
            DataType::FixedSizeList(item, _) => {
                self.buffers += 1;
                vec![item]
            }
            DataType::Struct(fields) => {
                self.buffers += 1;
                fields.iter().map(|field| field.as_ref()).collect()
            }
            DataType::RunEndEncoded(ends, values) => vec![ends, values],
            DataType::Union(fields, mode) => {
                self.buffers += 1 + usize::from(*mode == UnionMode::Dense);
                self.buffers += usize::from(unions_have_nulls);
                fields.iter().map(|(_, field)| field.as_ref()).collect()
            }
            // Nulls, and values of one length or the keys of a dictionary.
            _ => {
                self.buffers += 2;
                Vec::new()
            }
        };
        children.iter().for_each(|field| self.add(field.data_type(), unions_have_nulls));
    }
}
