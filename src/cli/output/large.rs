//! Columns of a row group that are large because a value is, such as a book in a field.
//!
//! The library copies values into a page and compresses it when it is full. Here a page is compressed while it is
//! written, so that a value is in memory once. The page's header comes first and says how long the compressed page is;
//! to know that, the page is compressed once before, to nowhere.

use std::borrow::Cow;
use std::io::{self, BufRead, Cursor, Read, Write};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;

/// A column is large from here on. It is more than a row group has without a large value.
const LARGE_BYTES: usize = 64 << 20;
/// A header says sizes in 31 bits; what does not compress is a little longer after it.
const LARGEST_BYTES: usize = i32::MAX as usize - (1 << 20);
/// Which rows have a value takes no more than this for each.
const MOST_LEVEL_BYTES: usize = 2;

/// Whether this column's values are that large, and one page holds them.
pub fn is_large(array: &ArrayRef) -> bool {
    plain_bytes(array).is_some_and(|bytes| {
        bytes >= LARGE_BYTES && bytes + MOST_LEVEL_BYTES * array.len() < LARGEST_BYTES
    })
}

/// Adds a column of strings or bytes to a row group, as one page. `leaf` is its description.
pub fn write<W: Write + Send>(
    array: &ArrayRef,
    leaf: ColumnDescPtr,
    row_group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<()> {
    let level = ZstdLevel::default();
    let levels = match leaf.max_def_level() {
        0 => Vec::new(),
        _ => definition_levels(array),
    };
    let contents = Contents { levels: &levels, array, level };
    let uncompressed = levels.len() + plain_bytes(array).unwrap_or_default();
    let compressed = io::copy(&mut contents.compressed()?, &mut io::sink())?;
    let header = page_header(array.len(), uncompressed, compressed);
    let page = Page { header: &header, contents };

    let header = header.len() as i64;
    let metadata = ColumnChunkMetaData::builder(leaf)
        .set_compression(Compression::ZSTD(level))
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
        .set_num_values(array.len() as i64)
        .set_total_compressed_size(header + compressed as i64)
        .set_total_uncompressed_size(header + uncompressed as i64)
        .set_data_page_offset(0)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: metadata.compressed_size() as u64,
        rows_written: array.len() as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    row_group.append_column(&page, close)
}

/// A page, whose bytes the library reads once.
struct Page<'a> {
    header: &'a [u8],
    contents: Contents<'a>,
}

/// What a page holds after its header.
#[derive(Clone, Copy)]
struct Contents<'a> {
    levels: &'a [u8],
    array: &'a ArrayRef,
    level: ZstdLevel,
}

impl<'a> Contents<'a> {
    /// Compresses them as they are read.
    fn compressed(self) -> io::Result<impl Read + 'a> {
        let prefixed = |value: &'a [u8]| {
            let prefix = (value.len() as u32).to_le_bytes();
            [Cow::Owned(prefix.to_vec()), Cow::Borrowed(value)]
        };
        let values = values(self.array).into_iter().flatten().flatten().flat_map(prefixed);
        let pieces = Pieces { first: Cursor::new(self.levels.into()), rest: values };
        zstd::stream::read::Encoder::with_buffer(pieces, self.level.compression_level())
    }
}

impl Length for Page<'_> {
    fn len(&self) -> u64 {
        u64::MAX
    }
}

impl<'a> ChunkReader for Page<'a> {
    type T = Box<dyn Read + 'a>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        debug_assert_eq!(start, 0, "the page is all there is of the column");
        Ok(Box::new(self.header.chain(self.contents.compressed()?)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::new();
        self.get_read(start)?.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Bytes of several places, read one after another.
struct Pieces<'a, I> {
    first: Cursor<Cow<'a, [u8]>>,
    rest: I,
}

impl<'a, I: Iterator<Item = Cow<'a, [u8]>>> BufRead for Pieces<'a, I> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.first.fill_buf()?.is_empty() {
            let Some(next) = self.rest.next() else { break };
            self.first = Cursor::new(next);
        }
        self.first.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.first.consume(bytes);
    }
}

impl<'a, I: Iterator<Item = Cow<'a, [u8]>>> Read for Pieces<'a, I> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(bytes)?;
        self.consume(read);
        Ok(read)
    }
}

/// Bytes that a column's values take in a page before it is compressed; none for columns that are not of strings or
/// bytes.
fn plain_bytes(array: &ArrayRef) -> Option<usize> {
    const PREFIX: usize = size_of::<u32>();
    values(array).map(|values| values.flatten().map(|value| PREFIX + value.len()).sum())
}

/// The values of a column of strings or bytes; none for any other column.
fn values(array: &ArrayRef) -> Option<Box<dyn Iterator<Item = Option<&[u8]>> + '_>> {
    fn bytes(value: Option<&str>) -> Option<&[u8]> {
        value.map(str::as_bytes)
    }
    Some(match array.data_type() {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter().map(bytes)),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().iter().map(bytes)),
        DataType::Utf8View => Box::new(array.as_string_view().iter().map(bytes)),
        DataType::Binary => Box::new(array.as_binary::<i32>().iter()),
        DataType::LargeBinary => Box::new(array.as_binary::<i64>().iter()),
        DataType::BinaryView => Box::new(array.as_binary_view().iter()),
        _ => return None,
    })
}

/// Which rows have a value, as Parquet's runs after the number of their bytes: twice a run's length, and its level.
fn definition_levels(array: &ArrayRef) -> Vec<u8> {
    let mut runs = Vec::new();
    let mut row = 0;
    while row < array.len() {
        let is_valid = array.is_valid(row);
        let length = (row..array.len()).take_while(|row| array.is_valid(*row) == is_valid).count();
        row += length;
        push_varint(&mut runs, (length as u64) << 1);
        runs.push(u8::from(is_valid));
    }
    let mut levels = (runs.len() as u32).to_le_bytes().to_vec();
    levels.append(&mut runs);
    levels
}

/// The header of a page of that many rows, in Thrift's compact protocol. The library does not offer its own.
fn page_header(rows: usize, uncompressed: usize, compressed: u64) -> Vec<u8> {
    // A field starts with the distance to its number from the last field's, and its type.
    const NEXT_IS_I32: u8 = 0x15;
    const SECOND_NEXT_IS_STRUCT: u8 = 0x2c;
    const END_OF_STRUCT: u8 = 0;
    const DATA_PAGE: u64 = 0;
    let fields = |header: &mut Vec<u8>, numbers: &[u64]| {
        for number in numbers {
            header.push(NEXT_IS_I32);
            // Twice the number: the lowest bit is the sign.
            push_varint(header, number << 1);
        }
    };
    let mut header = Vec::new();
    fields(&mut header, &[DATA_PAGE, uncompressed as u64, compressed]);
    header.push(SECOND_NEXT_IS_STRUCT);
    let encodings = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE].map(|encoding| encoding as u64);
    fields(&mut header, &[rows as u64]);
    fields(&mut header, &encodings);
    header.extend([END_OF_STRUCT, END_OF_STRUCT]);
    header
}

/// Appends a number in groups of seven bits, the lowest first.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray};
    use arrow_schema::{Field, Schema};
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn columns_are_read_as_they_were() {
        // Runs of one row and of several, whose lengths take one byte and two.
        let texts: Vec<Option<String>> = (0..400)
            .map(|row| match row {
                0 | 300 | 340..400 => None,
                1..3 => Some("x".repeat(100_000 * row)),
                3..300 => Some(row.to_string()),
                _ => Some(String::new()),
            })
            .collect();
        let fields = [
            ("views", DataType::Utf8, true),
            ("long", DataType::LargeUtf8, true),
            ("bytes", DataType::Binary, false),
            ("empty", DataType::Utf8, true),
        ];
        let fields = fields.map(|(name, kind, nullable)| Field::new(name, kind, nullable));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let bytes = texts.iter().map(|text| text.as_deref().unwrap_or("none").as_bytes());
        let arrays: [ArrayRef; 4] = [
            Arc::new(StringViewArray::from_iter(&texts)),
            Arc::new(LargeStringArray::from_iter(&texts)),
            Arc::new(BinaryArray::from_iter_values(bytes)),
            Arc::new(StringViewArray::from_iter(texts.iter().map(|_| None::<&str>))),
        ];

        let mut file = Vec::new();
        let writer = ArrowWriter::try_new(&mut file, schema.clone(), None).unwrap();
        let (mut writer, _) = writer.into_serialized_writer().unwrap();
        let leaves = writer.schema_descr().columns().to_vec();
        let mut row_group = writer.next_row_group().unwrap();
        for (array, leaf) in arrays.iter().zip(leaves) {
            write(array, leaf, &mut row_group).unwrap();
        }
        row_group.close().unwrap();
        writer.close().unwrap();

        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        let read = reader.build().unwrap().next().unwrap().unwrap();
        let [views, long, bytes, empty] = arrays;
        let views: ArrayRef = Arc::new(views.as_string_view().iter().collect::<StringArray>());
        let empty: ArrayRef = Arc::new(empty.as_string_view().iter().collect::<StringArray>());
        assert_eq!(read, RecordBatch::try_new(schema, vec![views, long, bytes, empty]).unwrap());
    }
}
