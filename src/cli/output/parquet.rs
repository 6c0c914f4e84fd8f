//! Parquet: the input's columns and the vectors. A row group ends at a checkpoint, or once it is large.
//!
//! A Parquet file ends with a footer that locates its row groups, so a file without one cannot be read. The footer that
//! would end the file is part of each checkpoint; with it, another writer resumes after the last complete row group.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::FixedSizeListArray;
use arrow_schema::{DataType, SchemaRef};
use bytes::Bytes;
use monomorph::{Precision, Values};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::columns::{self, Waiting};
use super::destination::Destination;
use super::{FormatWriter, Record, Summary, large};
use crate::cli::failure::Failure;
use crate::cli::guard::guarded;
use crate::cli::records::{Columns, Row};

pub struct Parquet {
    columns: Columns,
    schema: SchemaRef,
    precision: Precision,
    /// Values in each stored vector.
    values: usize,
    writer: SerializedFileWriter<Sink>,
    row_groups: ArrowRowGroupWriterFactory,
    sink: Sink,
    /// Records that are not in a row group yet, and their vectors.
    rows: Vec<Row>,
    row_bytes: usize,
    vectors: Waiting,
}

/// A row group ends once its records are this large: encoding holds several copies of them in memory.
const MAX_ROW_GROUP_BYTES: usize = 32 << 20;

/// What the library writes to.
#[derive(Clone)]
struct Sink(Arc<Mutex<To>>);

enum To {
    /// Nowhere yet: the start of a file, written before there is a destination.
    Memory(Vec<u8>),
    /// The destination, while it is lent.
    Destination(Destination),
    /// Nowhere: bytes that an earlier run has written.
    Nothing,
}

/// A stand-in for the bytes of an earlier run, which [`Sink`] discards.
struct Blank;

impl Parquet {
    /// A table of the given columns and one of vectors. `metadata` goes into the file's own key and value pairs.
    pub fn new(
        columns: Columns,
        embedding: &str,
        precision: Precision,
        values: usize,
        metadata: Vec<(String, String)>,
    ) -> Result<Parquet, String> {
        let schema = columns::schema(&columns, embedding, precision, values)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // Vectors are noise to a compressor and to a dictionary, and nobody asks for the least of them.
            .set_column_compression(path(embedding), Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(path(embedding), false)
            .set_column_encoding(path(embedding), Encoding::PLAIN)
            .set_column_statistics_enabled(path(embedding), EnabledStatistics::None)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(
                metadata.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect(),
            ))
            .build();
        let sink = Sink(Arc::new(Mutex::new(To::Memory(Vec::new()))));
        let writer = ArrowWriter::try_new(sink.clone(), schema.clone(), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, row_groups) = writer.map_err(|error| error.to_string())?;
        let vectors = Waiting::new(precision);
        Ok(Parquet {
            columns,
            schema,
            precision,
            values,
            writer,
            row_groups,
            sink,
            rows: Vec::new(),
            row_bytes: 0,
            vectors,
        })
    }

    /// What a complete file says of how it was made, by the keys of `metadata` without their prefix; nothing where it
    /// cannot be read.
    pub fn about(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
        let file = File::open(path).map_err(|error| Failure::reading(path.display(), &error))?;
        let read = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file));
        let Ok(Ok(metadata)) = read else { return Ok(BTreeMap::new()) };
        let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let own = |pair: &KeyValue| {
            Some((pair.key.strip_prefix("monomorph.")?.to_owned(), pair.value.clone()?))
        };
        Ok(pairs.filter_map(own).collect())
    }

    /// Ends a row group, if there are rows for one.
    fn flush(&mut self, out: &mut Destination) -> io::Result<()> {
        self.with_destination(out, |own| {
            if !own.rows.is_empty() {
                own.write_row_group().map_err(to_io)?;
            }
            // The library keeps the last bytes back otherwise.
            own.writer.flush()
        })
    }

    /// Lets the library write to a destination.
    fn with_destination(
        &mut self,
        out: &mut Destination,
        write: impl FnOnce(&mut Parquet) -> io::Result<()>,
    ) -> io::Result<()> {
        if let To::Memory(start) = self.sink.replace(To::Nothing) {
            out.write_all(&start)?;
        }
        self.sink.replace(To::Destination(out.lend()));
        let written = write(self);
        if let To::Destination(lent) = self.sink.replace(To::Nothing) {
            *out = lent;
        }
        written
    }

    fn write_row_group(&mut self) -> ParquetResult<()> {
        let rows = mem::take(&mut self.rows);
        self.row_bytes = 0;
        let vectors = mem::replace(&mut self.vectors, Waiting::new(self.precision));
        let mut arrays = columns::arrays(&self.columns, rows)?;
        let DataType::FixedSizeList(item, _) = self.schema.fields()[arrays.len()].data_type()
        else {
            return Err(ParquetError::General("the last column holds the vectors".into()));
        };
        arrays.push(Arc::new(FixedSizeListArray::try_new(
            item.clone(),
            self.values as i32,
            vectors.into_array(),
            None,
        )?));
        let ordinal = self.writer.flushed_row_groups().len();
        let leaves = self.writer.schema_descr().columns().to_vec();
        let writers = self.row_groups.create_column_writers(ordinal)?;
        let mut columns = leaves.into_iter().zip(writers);
        let mut row_group = self.writer.next_row_group()?;
        for (field, array) in self.schema.fields().iter().zip(arrays) {
            if large::is_large(&array) {
                let Some((leaf, _)) = columns.next() else { break };
                large::write(&array, leaf, &mut row_group)?;
                continue;
            }
            let values = compute_leaves(field, &array)?;
            drop(array);
            for leaf in values {
                let Some((_, mut column)) = columns.next() else { break };
                column.write(&leaf)?;
                drop(leaf);
                column.close()?.append_to_row_group(&mut row_group)?;
            }
        }
        row_group.close()?;
        Ok(())
    }

    /// The footer of the row groups written so far.
    fn footer(&self) -> ParquetResult<Vec<u8>> {
        let row_groups = self.writer.flushed_row_groups().to_vec();
        let rows = row_groups.iter().map(|row_group| row_group.num_rows()).sum();
        let schema = Arc::new(self.writer.schema_descr().clone());
        let file = FileMetaData::new(1, rows, None, None, schema, None);
        let mut footer = Vec::new();
        let metadata = ParquetMetaData::new(file, row_groups);
        ParquetMetaDataWriter::new(&mut footer, &metadata).finish()?;
        Ok(footer)
    }

    /// Makes the writer count the row groups of a footer as written.
    fn repeat(&mut self, footer: &[u8]) -> ParquetResult<()> {
        let footer = Bytes::copy_from_slice(footer);
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&footer)?;
        let written = metadata.file_metadata().schema_descr().root_schema();
        if written != self.writer.schema_descr().root_schema() {
            return Err(ParquetError::General(
                "the input is not the one that the unfinished run read: its columns changed; start over with --restart"
                    .into(),
            ));
        }
        // The earlier run has written these row groups, and the start of the file before them.
        self.sink.replace(To::Nothing);
        for group in metadata.row_groups() {
            let mut row_group = self.writer.next_row_group()?;
            for column in group.columns() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size() as u64,
                    rows_written: group.num_rows() as u64,
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                row_group.append_column(&Blank, close)?;
            }
            row_group.close()?;
        }
        self.writer.flush()?;
        Ok(())
    }
}

impl FormatWriter for Parquet {
    fn begin(&mut self, _: &mut Destination, _: &Summary) -> io::Result<()> {
        Ok(())
    }

    fn record(
        &mut self,
        out: &mut Destination,
        record: Record<'_>,
        values: &Values,
    ) -> io::Result<()> {
        self.row_bytes += record.row.bytes();
        self.rows.push(record.row);
        self.vectors.push(values);
        if self.row_bytes + self.vectors.bytes() < MAX_ROW_GROUP_BYTES {
            return Ok(());
        }
        self.flush(out)
    }

    fn checkpoint(&mut self, out: &mut Destination) -> io::Result<Vec<u8>> {
        self.flush(out)?;
        self.footer().map_err(to_io)
    }

    fn resume(&mut self, checkpoint: &[u8]) -> io::Result<()> {
        self.repeat(checkpoint).map_err(to_io)
    }

    fn end(&mut self, out: &mut Destination, _: &Summary) -> io::Result<()> {
        self.flush(out)?;
        self.with_destination(out, |own| own.writer.finish().map(drop).map_err(to_io))
    }
}

fn path(column: &str) -> ColumnPath {
    ColumnPath::new(vec![column.to_owned(), "list".to_owned(), "item".to_owned()])
}

impl Sink {
    fn replace(&self, to: To) -> To {
        mem::replace(&mut *self.lock(), to)
    }

    fn lock(&self) -> MutexGuard<'_, To> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.lock() {
            To::Memory(start) => start.write(bytes),
            To::Destination(destination) => destination.write(bytes),
            To::Nothing => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Length for Blank {
    fn len(&self) -> u64 {
        u64::MAX
    }
}

impl ChunkReader for Blank {
    type T = io::Repeat;

    fn get_read(&self, _: u64) -> ParquetResult<io::Repeat> {
        Ok(io::repeat(0))
    }

    fn get_bytes(&self, _: u64, length: usize) -> ParquetResult<Bytes> {
        Ok(vec![0; length].into())
    }
}

fn to_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
