//! Columns of a row group that are large because a value is, such as a book in a field.
//!
//! The library copies values into a page and compresses it when it is full. A page is compressed here while it is made,
//! so that a value is in memory once.

use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// A column is large from here on. It is more than a row group has without a large value.
const LARGE_BYTES: usize = 64 << 20;

/// Whether this column's values are that large, and one page holds them.
pub fn is_large(array: &ArrayRef) -> bool {
    let bytes = values(array).map(|values| values.map(|v| PREFIX + v.map_or(0, <[u8]>::len)).sum());
    bytes.is_some_and(|bytes: usize| (LARGE_BYTES..i32::MAX as usize).contains(&bytes))
}

/// Bytes that say how long a value is.
const PREFIX: usize = size_of::<u32>();

/// Adds a column to a row group, as one page. `leaf` is its description.
pub fn write<W: Write + Send>(
    array: ArrayRef,
    leaf: ColumnDescPtr,
    row_group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<()> {
    let rows = array.len();
    let level = ZstdLevel::default();
    let mut page = Compressed::new(level)?;
    if leaf.max_def_level() > 0 {
        let levels = definition_levels(&array);
        page.write_all(&(levels.len() as u32).to_le_bytes())?;
        page.write_all(&levels)?;
    }
    for value in values(&array).into_iter().flatten().flatten() {
        page.write_all(&(value.len() as u32).to_le_bytes())?;
        page.write_all(value)?;
    }
    drop(array);
    let (bytes, uncompressed) = page.finish()?;
    let page = Page::DataPage {
        buf: bytes.into(),
        num_values: rows as u32,
        encoding: Encoding::PLAIN,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let mut sink = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut sink);
    let written = writer.write_page(CompressedPage::new(page, uncompressed))?;
    writer.close()?;
    let metadata = ColumnChunkMetaData::builder(leaf)
        .set_compression(Compression::ZSTD(level))
        .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
        .set_num_values(rows as i64)
        .set_total_compressed_size(written.compressed_size as i64)
        .set_total_uncompressed_size(written.uncompressed_size as i64)
        .set_data_page_offset(written.offset as i64)
        .build()?;
    let close = ColumnCloseResult {
        bytes_written: written.bytes_written,
        rows_written: rows as u64,
        metadata,
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    };
    row_group.append_column(&bytes::Bytes::from(sink.into_inner()?), close)
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

/// Which rows have a value, as Parquet's runs: twice the length in groups of seven bits, and the level.
fn definition_levels(array: &ArrayRef) -> Vec<u8> {
    let mut levels = Vec::new();
    let mut row = 0;
    while row < array.len() {
        let is_valid = array.is_valid(row);
        let length = (row..array.len()).take_while(|row| array.is_valid(*row) == is_valid).count();
        row += length;
        let mut header = length << 1;
        while header >= 0x80 {
            levels.push(header as u8 | 0x80);
            header >>= 7;
        }
        levels.extend([header as u8, u8::from(is_valid)]);
    }
    levels
}

/// Bytes that are compressed as they come.
struct Compressed {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    uncompressed: usize,
}

impl Compressed {
    fn new(level: ZstdLevel) -> io::Result<Compressed> {
        let encoder = zstd::Encoder::new(Vec::new(), level.compression_level())?;
        Ok(Compressed { encoder, uncompressed: 0 })
    }

    fn finish(self) -> io::Result<(Vec<u8>, usize)> {
        Ok((self.encoder.finish()?, self.uncompressed))
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(bytes)?;
        self.uncompressed += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
            write(array.clone(), leaf, &mut row_group).unwrap();
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
