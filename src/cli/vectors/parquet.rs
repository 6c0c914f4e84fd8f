//! The Parquet files that batch writes, and others with a column of lists of floats.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{About, Label, READS, Vectors};
use crate::cli::failure::Failure;
use crate::cli::records::{id_at, text_at};

pub struct Parquet {
    batches: ParquetRecordBatchReader,
    name: String,
    column: String,
    text_column: String,
    about: About,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    row: usize,
}

impl Parquet {
    pub fn open(
        file: File,
        name: String,
        column: &str,
        text_column: &str,
    ) -> Result<Parquet, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
        let schema = builder.schema();
        let Ok(field) = schema.field_with_name(column) else {
            let names: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            return Err(Failure::Failed(format!(
                "{name}: no column {column:?}; it has {}; --embedding-column names the one of the vectors",
                names.join(", ")
            )));
        };
        let item = match field.data_type() {
            DataType::FixedSizeList(item, _) | DataType::List(item) | DataType::LargeList(item) => {
                item.data_type()
            }
            other => other,
        };
        if !matches!(item, DataType::Float32 | DataType::Float16) {
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
        let wanted = |field: &str| [column, text_column, "id"].contains(&field);
        let roots = schema.fields().iter().enumerate();
        let roots: Vec<usize> =
            roots.filter(|(_, field)| wanted(field.name())).map(|(i, _)| i).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let batches =
            builder.with_projection(mask).with_batch_size(1024).build().map_err(|e| failed(&e))?;
        let (column, text_column) = (column.to_owned(), text_column.to_owned());
        Ok(Parquet { batches, name, column, text_column, about, batch: None, row: 0 })
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.as_ref().and_then(|batch| batch.column_by_name(name))
    }
}

impl Vectors for Parquet {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<bool, Failure> {
        while self.batch.as_ref().is_none_or(|batch| batch.num_rows() == self.row) {
            match self.batches.next() {
                Some(Ok(batch)) => (self.batch, self.row) = (Some(batch), 0),
                Some(Err(error)) => {
                    return Err(Failure::Failed(format!("cannot read {}: {error}", self.name)));
                }
                None => return Ok(false),
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
        vector.clear();
        match list {
            Some(list) if *list.data_type() == DataType::Float16 => {
                vector
                    .extend(list.as_primitive::<Float16Type>().values().iter().map(|x| x.to_f32()));
            }
            Some(list) => vector.extend(list.as_primitive::<Float32Type>().values()),
            None => {}
        }
        Ok(true)
    }

    fn label(&self) -> Label {
        let row = self.row - 1;
        Label {
            id: self.column("id").and_then(|column| id_at(column, row)),
            text: self.column(&self.text_column).and_then(|column| text_at(column, row)),
        }
    }

    fn about(&self) -> About {
        About { model: self.about.model.clone(), prompt: self.about.prompt.clone() }
    }
}
