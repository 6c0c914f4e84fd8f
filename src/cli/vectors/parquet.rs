//! The Parquet files that batch writes, and others with a column of lists of floats.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{About, Label, Next, READS, Vectors};
use crate::cli::failure::Failure;
use crate::cli::guard::guarded;
use crate::cli::records::{Found, id_at, text_at};

pub struct Parquet {
    batches: ParquetRecordBatchReader,
    name: String,
    column: String,
    text_column: String,
    id_column: String,
    about: About,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    row: usize,
}

/// Whether a file has a column of vectors by the usual name, or none of texts either.
pub fn are_in(file: File, name: &str, text_column: &str) -> Result<bool, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
    let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file));
    let builder = builder.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
    let has = |column: &str| builder.schema().field_with_name(column).is_ok();
    Ok(has("embedding") || !has(text_column))
}

impl Parquet {
    pub fn open(
        file: File,
        name: String,
        column: &str,
        text_column: Option<&str>,
    ) -> Result<Parquet, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file));
        let builder = builder.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let schema = builder.schema();
        let missing = |column: &str, hint: &str| {
            let names: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            Failure::Failed(format!(
                "{name}: no column {column:?}; it has {}{hint}",
                names.join(", ")
            ))
        };
        let Ok(field) = schema.field_with_name(column) else {
            return Err(missing(
                column,
                "; choose the column of the vectors with --embedding-column",
            ));
        };
        if let Some(column) = text_column.filter(|column| schema.field_with_name(column).is_err()) {
            return Err(missing(column, ""));
        }
        let item = match field.data_type() {
            DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
                item.data_type()
            }
            other => {
                return Err(Failure::Failed(format!(
                    "{name}: column {column:?} is {}, not lists of numbers; choose the column of the vectors with --embedding-column",
                    other.to_string().to_lowercase()
                )));
            }
        };
        if !matches!(item, DataType::Float16 | DataType::Float32 | DataType::Float64) {
            return Err(Failure::Failed(format!(
                "{name}: the values of column {column:?} are {}; {READS}",
                item.to_string().to_lowercase()
            )));
        }
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let pair = |key: &str| {
            let found = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == key));
            found.and_then(|pair| pair.value.clone())
        };
        let about =
            About { model: pair("monomorph.model_xxh3_128"), prompt: pair("monomorph.prompt") };
        // The file knows which columns its vectors were made of.
        let said = |key: &str, default: &str| pair(key).unwrap_or_else(|| default.to_owned());
        let id_column = said("monomorph.id_column", "id");
        let text_column =
            text_column.map_or_else(|| said("monomorph.text_column", "text"), str::to_owned);
        let wanted = |field: &str| [column, &text_column, &id_column].contains(&field);
        let roots = schema.fields().iter().enumerate();
        let roots: Vec<usize> =
            roots.filter(|(_, field)| wanted(field.name())).map(|(i, _)| i).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let build = || builder.with_projection(mask).with_batch_size(1024).build();
        let batches = guarded(build).map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let column = column.to_owned();
        Ok(Parquet { batches, name, column, text_column, id_column, about, batch: None, row: 0 })
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.as_ref().and_then(|batch| batch.column_by_name(name))
    }
}

impl Vectors for Parquet {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        while self.batch.as_ref().is_none_or(|batch| batch.num_rows() == self.row) {
            let failed = |reason| Failure::Failed(format!("cannot read {}: {reason}", self.name));
            match guarded(|| self.batches.next()).map_err(failed)? {
                Some(Ok(batch)) => (self.batch, self.row) = (Some(batch), 0),
                Some(Err(error)) => return Err(failed(error.to_string())),
                None => return Ok(Next::End),
            }
        }
        let row = self.row;
        self.row += 1;
        let list = self.column(&self.column).and_then(|column| match column.data_type() {
            _ if column.is_null(row) => None,
            DataType::FixedSizeList(..) => Some(column.as_fixed_size_list().value(row)),
            DataType::LargeList(_) => Some(column.as_list::<i64>().value(row)),
            _ => Some(column.as_list::<i32>().value(row)),
        });
        let Some(list) = list.filter(|list| list.null_count() == 0) else { return Ok(Next::Null) };
        vector.clear();
        match list.data_type() {
            DataType::Float16 => {
                let values = list.as_primitive::<Float16Type>().values();
                vector.extend(values.iter().map(|x| x.to_f32()));
            }
            DataType::Float64 => {
                let values = list.as_primitive::<Float64Type>().values();
                vector.extend(values.iter().map(|x| *x as f32));
            }
            _ => vector.extend(list.as_primitive::<Float32Type>().values()),
        }
        Ok(Next::Vector)
    }

    fn label(&self) -> Label {
        let row = self.row - 1;
        Label {
            id: self.column(&self.id_column).and_then(|column| match id_at(column, row) {
                Found::Id(id) => Some(id),
                Found::None | Found::Other(_) => None,
            }),
            text: self.column(&self.text_column).and_then(|column| text_at(column, row)),
        }
    }

    fn about(&self) -> About {
        About { model: self.about.model.clone(), prompt: self.about.prompt.clone() }
    }
}
