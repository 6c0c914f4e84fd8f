//! Parquet files, Arrow IPC files and streams: record batches, a row at a time.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_data::ArrayData;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Fault, Fields, Id, Places, Row, TableFormat, TableReader, Wanted};
use crate::cli::failure::Failure;

/// Number of rows decoded at a time.
const BATCH_ROWS: usize = 1024;

pub struct Batches {
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>,
    schema: SchemaRef,
    rows: Option<u64>,
    name: String,
    places: Places,
    keep: bool,
    batch: Arc<RecordBatch>,
    /// Each row's share of the batch, in bytes.
    row_bytes: usize,
    /// Index of the next row in the batch; `index` is that in the table.
    row: usize,
    index: u64,
}

impl Batches {
    pub fn open(path: &Path, format: TableFormat, wanted: &Wanted) -> Result<Batches, Failure> {
        let name = path.display().to_string();
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
        let (batches, schema, rows) = match format {
            TableFormat::Parquet => {
                if path == Path::new("-") {
                    return Err(Failure::Usage(
                        "a Parquet file is read from its end, which standard input does not allow; give a file"
                            .into(),
                    ));
                }
                let file = File::open(path).map_err(|error| Failure::reading(&name, &error))?;
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
                let schema = builder.schema().clone();
                let rows = builder.metadata().file_metadata().num_rows() as u64;
                let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|e| failed(&e))?;
                (Box::new(reader) as Box<dyn Iterator<Item = _> + Send>, schema, Some(rows))
            }
            _ => ipc(path).map_err(|error| match error {
                Ipc::Failure(failure) => failure,
                Ipc::Arrow(error) => failed(&error),
            })?,
        };
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let mut places = wanted.places(&name, &names)?;
        let kind = |i: usize| schema.field(i).data_type();
        let mut texts = [Some(places.text), places.title].into_iter().flatten();
        if let Some(i) = texts.find(|i| !is_text(kind(*i))) {
            return Err(Failure::Failed(format!(
                "{name}: column {:?} is {}, not text",
                schema.field(i).name(),
                kind(i)
            )));
        }
        if let Some(i) = places.id.filter(|i| !is_text(kind(*i)) && !kind(*i).is_integer()) {
            if wanted.id.1 {
                return Err(Failure::Failed(format!(
                    "{name}: ids are strings or integers; column {:?} is {}",
                    wanted.id.0,
                    kind(i)
                )));
            }
            places.id = None;
        }
        let batch = Arc::new(RecordBatch::new_empty(schema.clone()));
        let keep = wanted.rest;
        Ok(Batches {
            batches,
            schema,
            rows,
            name,
            places,
            keep,
            batch,
            row_bytes: 0,
            row: 0,
            index: 0,
        })
    }

    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Number of rows of the whole table, if known.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }
}

impl TableReader for Batches {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        while self.row == self.batch.num_rows() {
            match self.batches.next() {
                Some(Ok(batch)) => {
                    let bytes: usize = batch.columns().iter().map(|c| bytes_of(&c.to_data())).sum();
                    self.row_bytes = bytes.div_ceil(batch.num_rows().max(1));
                    (self.batch, self.row) = (Arc::new(batch), 0);
                }
                Some(Err(error)) => {
                    let message = format!("cannot read {}: {error}", self.name);
                    return Err(Fault::Input(Failure::Failed(message)));
                }
                None => return Ok(None),
            }
        }
        let row = self.row;
        self.row += 1;
        self.index += 1;
        let place = format!("{}, row {}", self.name, self.index);
        let Some(text) = text_at(self.batch.column(self.places.text), row) else {
            let reason = format!("{:?} is null", self.schema.field(self.places.text).name());
            return Err(Fault::Record { place, reason });
        };
        Ok(Some(Fields {
            place,
            text,
            id: self.places.id.and_then(|id| id_at(self.batch.column(id), row)),
            title: self.places.title.and_then(|title| text_at(self.batch.column(title), row)),
            row: if self.keep {
                Row::Arrow { batch: self.batch.clone(), row, bytes: self.row_bytes }
            } else {
                Row::None
            },
        }))
    }

    fn position(&self) -> u64 {
        if self.rows.is_some() { self.index } else { 0 }
    }
}

enum Ipc {
    Failure(Failure),
    Arrow(ArrowError),
}

impl From<ArrowError> for Ipc {
    fn from(error: ArrowError) -> Ipc {
        Ipc::Arrow(error)
    }
}

type Opened =
    (Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>, SchemaRef, Option<u64>);

/// Opens an IPC file if it starts as one, else a stream.
fn ipc(path: &Path) -> Result<Opened, Ipc> {
    const MAGIC: &[u8] = b"ARROW1";
    let (mut reader, name) = super::open(path).map_err(Ipc::Failure)?;
    let mut start = Vec::new();
    let read = reader.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start);
    read.map_err(|error| Ipc::Failure(Failure::reading(&name, &error)))?;
    if start == MAGIC && path != Path::new("-") {
        let file = File::open(path).map_err(|e| Ipc::Failure(Failure::reading(&name, &e)))?;
        let reader = FileReader::try_new(BufReader::new(file), None)?;
        let schema = reader.schema();
        return Ok((Box::new(reader), schema, None));
    }
    if start == MAGIC {
        return Err(Ipc::Failure(Failure::Usage(
            "an Arrow IPC file is read from its end: give it as a file, or pipe an IPC stream"
                .into(),
        )));
    }
    let not_arrow = |_| {
        let reason = "neither an Arrow IPC file nor a stream (Feather 1 is not read)";
        Ipc::Failure(Failure::Failed(format!("{name}: {reason}")))
    };
    let reader = BufReader::new(Cursor::new(start).chain(reader));
    let reader = StreamReader::try_new(reader, None).map_err(not_arrow)?;
    let schema = reader.schema();
    Ok((Box::new(reader), schema, None))
}

/// Bytes of an array's buffers. Their capacities, which Arrow's own sums go by, do not add up: the buffers of a batch
/// that came by IPC are parts of one allocation.
fn bytes_of(array: &ArrayData) -> usize {
    let buffers: usize = array.buffers().iter().map(|buffer| buffer.len()).sum();
    let nulls = array.nulls().map_or(0, |nulls| nulls.buffer().len());
    buffers + nulls + array.child_data().iter().map(bytes_of).sum::<usize>()
}

fn is_text(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The string of a row of a text column; none if it is null.
pub fn text_at(column: &ArrayRef, row: usize) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let text = match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row),
        DataType::Utf8View => column.as_string_view().value(row),
        _ => return None,
    };
    Some(text.to_owned())
}

/// The id of a row; none if it is null, or neither text nor integer.
pub fn id_at(column: &ArrayRef, row: usize) -> Option<Id> {
    if column.is_null(row) {
        return None;
    }
    let signed = |id: i64| match u64::try_from(id) {
        Ok(id) => Id::Unsigned(id),
        Err(_) => Id::Signed(id),
    };
    Some(match column.data_type() {
        DataType::Int8 => signed(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => signed(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => signed(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => signed(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Id::Unsigned(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Id::Unsigned(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Id::Unsigned(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Id::Unsigned(column.as_primitive::<UInt64Type>().value(row)),
        _ => Id::String(text_at(column, row)?),
    })
}
