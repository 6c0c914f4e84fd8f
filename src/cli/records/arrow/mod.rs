//! Parquet files, Arrow IPC files and streams: record batches, a row at a time.

mod check;
mod ipc;
mod parquet;
mod value;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};

use super::source::Source;
use super::{Fault, Fields, Found, Places, Row, TableFormat, TableReader, Wanted};
use crate::cli::failure::Failure;
use crate::cli::guard::guarded;
pub use value::{id_at, is_text, text_at};

pub struct Batches {
    batches: Box<dyn Iterator<Item = Result<RecordBatch, String>> + Send>,
    schema: SchemaRef,
    rows: Option<u64>,
    name: String,
    /// Where the wanted columns are in a batch, and the name of that of the texts.
    places: Places,
    column: String,
    /// Whether a column of ids was asked for.
    must_have_id: bool,
    keep: bool,
    batch: Arc<RecordBatch>,
    /// Each row's share of the batch's columns without views, in bytes.
    row_bytes: usize,
    /// Index of the next row in the batch; `index` is that in the table.
    row: usize,
    index: u64,
}

/// A table whose columns are known.
enum Table {
    Parquet(parquet::Table),
    Ipc(ipc::Batches),
}

impl Batches {
    pub fn open(
        path: &Path,
        source: Source,
        format: TableFormat,
        wanted: &Wanted,
    ) -> Result<Batches, Failure> {
        let name = source.name.clone();
        let failed = |reason: String| Failure::Failed(format!("cannot read {name}: {reason}"));
        let table = match format {
            TableFormat::Parquet if !source.is_plain_file => {
                return Err(Failure::Usage(format!(
                    "{name}: a Parquet file is read from its end, which neither a pipe nor a compressed file allows; give \
                     the file itself"
                )));
            }
            TableFormat::Parquet => {
                let file = File::open(path).map_err(|error| Failure::reading(&name, &error))?;
                let table = guarded(|| parquet::Table::open(file)).map_err(failed)?;
                Table::Parquet(table.map_err(|error| failed(error.to_string()))?)
            }
            _ => {
                let is_file = source.start.starts_with(ipc::MAGIC);
                let batches = match (is_file, source.is_plain_file) {
                    (true, false) => {
                        return Err(Failure::Usage(format!(
                            "{name}: an Arrow IPC file is read from its end; give the file itself, or pipe an IPC stream"
                        )));
                    }
                    (true, true) => {
                        let file =
                            File::open(path).map_err(|error| Failure::reading(&name, &error))?;
                        guarded(|| ipc::Batches::open_file(file))
                    }
                    (false, _) => guarded(|| ipc::Batches::open_stream(source)),
                };
                let not_arrow = |reason: String| match is_file {
                    true => reason,
                    false => format!("it is no Arrow IPC file, and as a stream {reason}"),
                };
                Table::Ipc(batches.and_then(|opened| opened).map_err(|e| failed(not_arrow(e)))?)
            }
        };
        let (schema, rows) = match &table {
            Table::Parquet(table) => (table.schema(), Some(table.rows())),
            Table::Ipc(batches) => (batches.schema(), None),
        };
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        if names.is_empty() {
            return Err(Failure::Failed(format!("{name} is empty: it has no columns")));
        }
        let places = wanted.places(&name, &names, || None)?;
        let texts = [Some(places.text), places.title].into_iter().flatten();
        for field in texts.map(|i| schema.field(i)) {
            if !is_text(field.data_type()) {
                return Err(Failure::Failed(format!(
                    "{name}: column {:?} is {}",
                    field.name(),
                    value::in_words(field.data_type())
                )));
            }
        }
        let column = schema.field(places.text).name().clone();
        let projection = (!wanted.rest).then(|| places.sorted());
        let places = projection.as_ref().map_or(places, |columns| places.among(columns));
        let batches: Box<dyn Iterator<Item = _> + Send> = match table {
            Table::Parquet(table) => {
                let batches = guarded(|| table.batches(projection.as_deref())).map_err(failed)?;
                let batches = batches.map_err(|error| failed(reason(error)))?;
                Box::new(batches.map(|batch| batch.map_err(|error| error.to_string())))
            }
            Table::Ipc(mut batches) => {
                projection.into_iter().for_each(|columns| batches.project(columns));
                Box::new(batches)
            }
        };
        Ok(Batches {
            batches,
            batch: Arc::new(RecordBatch::new_empty(schema.clone())),
            schema,
            rows,
            name,
            places,
            column,
            must_have_id: wanted.id.1,
            keep: wanted.rest,
            row_bytes: 0,
            row: 0,
            index: 0,
        })
    }

    /// The columns of the whole table.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Number of rows of the whole table, if known.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Reads the next batch; false at the end.
    fn advance(&mut self) -> Result<bool, Failure> {
        match guarded(|| self.batches.next()).map(Option::transpose) {
            Ok(Ok(Some(batch))) => {
                let plain = batch.columns().iter().filter(|column| !is_view(column));
                let bytes: usize = plain.map(|column| bytes_of(&column.to_data())).sum();
                self.row_bytes = bytes.div_ceil(batch.num_rows().max(1));
                (self.batch, self.row) = (Arc::new(batch), 0);
                Ok(true)
            }
            Ok(Ok(None)) => Ok(false),
            Ok(Err(reason)) | Err(reason) => {
                Err(Failure::Failed(format!("cannot read {}: {reason}", self.name)))
            }
        }
    }

    /// What a row takes in memory.
    fn bytes_of_row(&self, row: usize) -> usize {
        let viewed = |column: &ArrayRef| match column.data_type() {
            // The length is the first word of a view.
            DataType::Utf8View => column.as_string_view().views()[row] as u32 as usize,
            DataType::BinaryView => column.as_binary_view().views()[row] as u32 as usize,
            _ => 0,
        };
        self.row_bytes + self.batch.columns().iter().map(viewed).sum::<usize>()
    }
}

impl TableReader for Batches {
    fn next(&mut self) -> Result<Option<Fields>, Fault> {
        while self.row == self.batch.num_rows() {
            if !self.advance().map_err(Fault::Input)? {
                return Ok(None);
            }
        }
        let row = self.row;
        self.row += 1;
        self.index += 1;
        let place = format!("{}, row {}", self.name, self.index);
        let Some(text) = text_at(self.batch.column(self.places.text), row) else {
            return Err(Fault::Record { place, reason: format!("{:?} is null", self.column) });
        };
        let id = self.places.id.map_or(Found::None, |id| id_at(self.batch.column(id), row));
        if let (Found::Other(other), true) = (&id, self.must_have_id) {
            let reason = format!("its id is {other}; ids are strings or integers");
            return Err(Fault::Record { place, reason });
        }
        Ok(Some(Fields {
            place,
            text,
            id,
            title: self.places.title.and_then(|title| text_at(self.batch.column(title), row)),
            row: match self.keep {
                true => {
                    Row::Arrow { batch: self.batch.clone(), row, bytes: self.bytes_of_row(row) }
                }
                false => Row::None,
            },
        }))
    }

    fn position(&self) -> u64 {
        if self.rows.is_some() { self.index } else { 0 }
    }
}

/// Its own message, without the library's label for it.
fn reason(error: ::parquet::errors::ParquetError) -> String {
    match error {
        ::parquet::errors::ParquetError::General(reason) => reason,
        other => other.to_string(),
    }
}

fn is_view(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Utf8View | DataType::BinaryView)
}

/// Bytes of an array's buffers. Their capacities, which Arrow's own sums go by, do not add up: the buffers of a batch
/// that came by IPC are parts of one allocation.
fn bytes_of(array: &ArrayData) -> usize {
    let buffers: usize = array.buffers().iter().map(|buffer| buffer.len()).sum();
    let nulls = array.nulls().map_or(0, |nulls| nulls.buffer().len());
    buffers + nulls + array.child_data().iter().map(bytes_of).sum::<usize>()
}
