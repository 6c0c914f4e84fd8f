//! Arrow's view of an output: the columns of the input's rows, and that of the vectors.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float16Array, Float32Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, UInt8Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use monomorph::{Precision, Values};
use serde_json::Value;

use crate::cli::records::{Columns, Kind, Row};

/// Vectors one after another, in the precision they are stored in.
pub enum Waiting {
    F32(Vec<f32>),
    F16(Vec<half::f16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
}

/// The schema of a table of these columns, and one of vectors.
pub fn schema(
    columns: &Columns,
    embedding: &str,
    precision: Precision,
    values: usize,
) -> Result<SchemaRef, String> {
    let mut fields: Vec<Arc<Field>> = match columns {
        Columns::None => Vec::new(),
        Columns::Strings(names) => {
            names.iter().map(|name| Arc::new(Field::new(name, DataType::Utf8, true))).collect()
        }
        Columns::Json(columns) => columns
            .iter()
            .map(|(name, kind)| Arc::new(Field::new(name, data_type(*kind), true)))
            .collect(),
        Columns::Arrow(schema) => schema.fields().iter().cloned().collect(),
    };
    if fields.iter().any(|field| field.name() == embedding) {
        return Err(format!(
            "the input already has a column {embedding:?}; choose another name for the vectors with --embedding-column"
        ));
    }
    let item = match precision {
        Precision::Float32 => DataType::Float32,
        Precision::Float16 => DataType::Float16,
        Precision::Int8 | Precision::Binary => DataType::Int8,
        Precision::Uint8 | Precision::Ubinary => DataType::UInt8,
    };
    let item = Arc::new(Field::new("item", item, false));
    let list = DataType::FixedSizeList(item, values as i32);
    fields.push(Arc::new(Field::new(embedding, list, false)));
    Ok(Arc::new(Schema::new(fields)))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Float => DataType::Float64,
        Kind::String => DataType::Utf8,
    }
}

/// The columns' arrays over some rows.
pub fn arrays(columns: &Columns, rows: &[Row]) -> Result<Vec<ArrayRef>, ArrowError> {
    Ok(match columns {
        Columns::None => Vec::new(),
        Columns::Strings(names) => (0..names.len())
            .map(|i| {
                let value = |row: &Row| match row {
                    Row::Strings(values) => values.get(i).cloned(),
                    _ => None,
                };
                Arc::new(rows.iter().map(value).collect::<StringArray>()) as ArrayRef
            })
            .collect(),
        Columns::Json(columns) => {
            columns.iter().map(|(key, kind)| json_array(key, *kind, rows)).collect()
        }
        Columns::Arrow(schema) => {
            let mut batches: Vec<&RecordBatch> = Vec::new();
            let mut places = Vec::new();
            for row in rows {
                let Row::Arrow { batch, row, .. } = row else { continue };
                if !batches.last().is_some_and(|last| std::ptr::eq(*last, Arc::as_ptr(batch))) {
                    batches.push(batch);
                }
                places.push((batches.len() - 1, *row));
            }
            if schema.fields().is_empty() {
                return Ok(Vec::new());
            }
            arrow_select::interleave::interleave_record_batch(&batches, &places)?.columns().to_vec()
        }
    })
}

fn json_array(key: &str, kind: Kind, rows: &[Row]) -> ArrayRef {
    let values = rows.iter().map(|row| match row {
        Row::Json(row) => row.iter().find(|(known, _)| known == key).map(|(_, value)| value),
        _ => None,
    });
    match kind {
        Kind::Bool => {
            Arc::new(values.map(|value| value.and_then(Value::as_bool)).collect::<BooleanArray>())
        }
        Kind::Int => {
            Arc::new(values.map(|value| value.and_then(Value::as_i64)).collect::<Int64Array>())
        }
        Kind::Float => {
            Arc::new(values.map(|value| value.and_then(Value::as_f64)).collect::<Float64Array>())
        }
        Kind::String => Arc::new(
            values
                .map(|value| match value {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(other) => Some(other.to_string()),
                })
                .collect::<StringArray>(),
        ),
    }
}

impl Waiting {
    pub fn new(precision: Precision) -> Waiting {
        match precision {
            Precision::Float32 => Waiting::F32(Vec::new()),
            Precision::Float16 => Waiting::F16(Vec::new()),
            Precision::Int8 | Precision::Binary => Waiting::I8(Vec::new()),
            Precision::Uint8 | Precision::Ubinary => Waiting::U8(Vec::new()),
        }
    }

    pub fn push(&mut self, vector: &Values) {
        match (self, vector) {
            (Waiting::F32(all), Values::F32(values)) => all.extend(values),
            (Waiting::F16(all), Values::F16(values)) => all.extend(values),
            (Waiting::I8(all), Values::I8(values)) => all.extend(values),
            (Waiting::U8(all), Values::U8(values)) => all.extend(values),
            _ => unreachable!("a quantizer has one precision"),
        }
    }

    /// Their size.
    pub fn bytes(&self) -> usize {
        match self {
            Waiting::F32(all) => 4 * all.len(),
            Waiting::F16(all) => 2 * all.len(),
            Waiting::I8(all) => all.len(),
            Waiting::U8(all) => all.len(),
        }
    }

    /// As a column's values.
    pub fn into_array(self) -> ArrayRef {
        match self {
            Waiting::F32(all) => Arc::new(Float32Array::from(all)),
            Waiting::F16(all) => Arc::new(Float16Array::from(all)),
            Waiting::I8(all) => Arc::new(Int8Array::from(all)),
            Waiting::U8(all) => Arc::new(UInt8Array::from(all)),
        }
    }
}
