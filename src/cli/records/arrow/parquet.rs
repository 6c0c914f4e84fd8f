//! Parquet files: only the wanted columns are read, so many rows at a time as their size allows.

use std::fs::File;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

/// Rows decoded at a time, if they are small, and the bytes that they may have otherwise.
const BATCH_ROWS: u64 = 1024;
const BATCH_BYTES: u64 = 8 << 20;

/// A file whose metadata has been read.
pub struct Table {
    file: File,
    metadata: ArrowReaderMetadata,
}

impl Table {
    pub fn open(file: File) -> Result<Table, ParquetError> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())?;
        Ok(Table { file, metadata })
    }

    /// The columns as the file declares them.
    pub fn schema(&self) -> SchemaRef {
        self.metadata.schema().clone()
    }

    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads these columns, or all of them. Those of strings come as views: an array of strings holds 2 GiB at most, and
    /// a view of a dictionary's string is no copy.
    pub fn batches(
        self,
        columns: Option<&[usize]>,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let declared = self.metadata.schema();
        let fields: Vec<Arc<Field>> = declared.fields().iter().map(viewed).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, declared.metadata().clone()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let parsed = self.metadata.metadata().clone();
        let is_wanted = |root: usize| columns.is_none_or(|columns| columns.contains(&root));
        check_compressions(&parsed, is_wanted)?;
        let rows = batch_rows(&parsed, is_wanted);
        // A file may declare what cannot be read as views.
        let metadata = ArrowReaderMetadata::try_new(parsed, options).unwrap_or(self.metadata);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, metadata);
        if let Some(columns) = columns {
            let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
            builder = builder.with_projection(mask);
        }
        builder.with_batch_size(rows).build()
    }
}

fn viewed(field: &Arc<Field>) -> Arc<Field> {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View))
        }
        DataType::Binary | DataType::LargeBinary => {
            Arc::new(field.as_ref().clone().with_data_type(DataType::BinaryView))
        }
        _ => field.clone(),
    }
}

/// Refuses a compression that this binary lacks, if a wanted column has it.
fn check_compressions(
    metadata: &ParquetMetaData,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<(), ParquetError> {
    let schema = metadata.file_metadata().schema_descr();
    for group in metadata.row_groups() {
        for (leaf, column) in group.columns().iter().enumerate() {
            let lacks = match column.compression() {
                Compression::BROTLI(_) => "brotli",
                Compression::LZO => "lzo",
                _ => continue,
            };
            if leaf < schema.num_columns() && is_wanted(schema.get_column_root_idx(leaf)) {
                return Err(ParquetError::General(format!(
                    "column {:?} is compressed with {lacks}, which this program lacks; write the file again with zstd or \
                     snappy",
                    column.column_path().string()
                )));
            }
        }
    }
    Ok(())
}

/// Rows of about [`BATCH_BYTES`] in the row group with the largest ones.
fn batch_rows(metadata: &ParquetMetaData, is_wanted: impl Fn(usize) -> bool) -> usize {
    let schema = metadata.file_metadata().schema_descr();
    let row_bytes = metadata.row_groups().iter().map(|group| {
        let columns = group.columns().iter().enumerate();
        let wanted = columns.filter(|(leaf, _)| {
            *leaf < schema.num_columns() && is_wanted(schema.get_column_root_idx(*leaf))
        });
        let bytes: u64 = wanted.map(|(_, c)| c.uncompressed_size().max(0).cast_unsigned()).sum();
        bytes / group.num_rows().max(1).cast_unsigned()
    });
    let largest = row_bytes.max().unwrap_or(0).max(1);
    (BATCH_BYTES / largest).clamp(1, BATCH_ROWS) as usize
}
