//! Arrow's view of an output: the columns of the input's rows, and that of the vectors.

use std::mem;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float16Array, Float32Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, StringViewArray, UInt8Array, UInt64Array, new_null_array,
};
use arrow_buffer::Buffer;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use monomorph::{Precision, Values};
use parquet::arrow::ArrowWriter;

use crate::cli::guard::guarded;
use crate::cli::records::{Chunk, Columns, Kind, Row, lossy};

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
    let mut fields = fields(columns);
    for (i, field) in fields.iter().enumerate() {
        if !can_be_written(field) {
            return Err(format!(
                "column {:?} is of a type that cannot be written to Parquet; leave it out of the input, or write another \
                 format",
                field.name()
            ));
        }
        if fields[..i].iter().any(|other| other.name() == field.name()) {
            return Err(format!(
                "the input has two columns {:?}, and no program reads such a Parquet file; rename one of the two, or write \
                 another format",
                field.name()
            ));
        }
    }
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

/// The columns of the input, and those that say where chunks are.
fn fields(columns: &Columns) -> Vec<Arc<Field>> {
    match columns {
        Columns::None => Vec::new(),
        Columns::Strings(columns) | Columns::Json(columns) => columns
            .iter()
            .map(|(name, kind)| Arc::new(Field::new(name, data_type(*kind), true)))
            .collect(),
        Columns::Arrow(schema) => schema.fields().iter().map(written).collect(),
        Columns::Chunks { kept, text } => {
            let string = Arc::new(Field::new(text, DataType::Utf8, true));
            let mut fields = fields(kept);
            match fields.iter_mut().find(|field| field.name() == text) {
                Some(field) => *field = string,
                None => fields.push(string),
            }
            let numbers = CHUNK_COLUMNS.map(|name| Field::new(name, DataType::UInt64, false));
            fields.extend(numbers.map(Arc::new));
            fields.push(Arc::new(Field::new(HEADING_COLUMN, DataType::Utf8, true)));
            fields
        }
    }
}

/// Which chunk of its text a row has, and its bytes there.
const CHUNK_COLUMNS: [&str; 3] = ["chunk", "chunk_begin", "chunk_end"];
const HEADING_COLUMN: &str = "heading";

/// Whether the library writes a column of this type, tried on a null: it panics over unions and others.
fn can_be_written(field: &Field) -> bool {
    let write = || {
        let field = field.clone().with_nullable(true);
        let rows = new_null_array(field.data_type(), 1);
        let schema = Arc::new(Schema::new(vec![field]));
        let mut writer = ArrowWriter::try_new(std::io::sink(), schema.clone(), None)?;
        writer.write(&RecordBatch::try_new(schema, vec![rows])?)?;
        writer.close()
    };
    matches!(guarded(write), Ok(Ok(_)))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::Int => DataType::Int64,
        Kind::Uint => DataType::UInt64,
        Kind::Float => DataType::Float64,
        Kind::String => DataType::Utf8,
    }
}

/// The columns' arrays over some rows.
pub fn arrays(columns: &Columns, rows: Vec<Row>) -> Result<Vec<ArrayRef>, ArrowError> {
    match columns {
        Columns::Chunks { kept, text } => {
            let beside = rows.iter().filter_map(|row| match row {
                Row::Chunk { kept, .. } => Some(kept.clone()),
                _ => None,
            });
            chunked(kept, text, beside.collect(), &rows)
        }
        columns => kept(columns, None, rows.into_iter().map(Arc::new).collect()),
    }
}

/// The arrays of chunks, and of the columns beside them.
fn chunked(
    columns: &Columns,
    text: &str,
    beside: Vec<Arc<Row>>,
    rows: &[Row],
) -> Result<Vec<ArrayRef>, ArrowError> {
    let chunks = || {
        rows.iter().filter_map(|row| match row {
            Row::Chunk { text, chunk, .. } => Some((text.as_str(), chunk)),
            _ => None,
        })
    };
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(chunks().map(|(text, _)| text)));
    let mut arrays = kept(columns, Some(text), beside)?;
    match fields(columns).iter().position(|field| field.name() == text) {
        Some(place) => arrays.insert(place, texts),
        None => arrays.push(texts),
    }
    let numbers: [fn(&Chunk) -> u64; 3] =
        [|chunk| chunk.number, |chunk| chunk.bytes[0], |chunk| chunk.bytes[1]];
    for number in numbers {
        let values = chunks().map(|(_, chunk)| number(chunk));
        arrays.push(Arc::new(UInt64Array::from_iter_values(values)));
    }
    let headings = chunks().map(|(_, chunk)| chunk.heading.as_deref());
    arrays.push(Arc::new(headings.collect::<StringArray>()));
    Ok(arrays)
}

/// The arrays of the input's columns, but for one. Rows that nobody shares lose their values to them.
fn kept(
    columns: &Columns,
    without: Option<&str>,
    mut rows: Vec<Arc<Row>>,
) -> Result<Vec<ArrayRef>, ArrowError> {
    let is_kept = |name: &str| without != Some(name);
    Ok(match columns {
        Columns::None | Columns::Chunks { .. } => Vec::new(),
        Columns::Strings(columns) => {
            let columns = columns.iter().enumerate().filter(|(_, (name, _))| is_kept(name));
            columns
                .map(|(i, (_, kind))| array(*kind, rows.iter_mut().map(|row| field(row, i))))
                .collect::<Result<_, _>>()?
        }
        Columns::Json(columns) => {
            let columns = columns.iter().filter(|(key, _)| is_kept(key));
            columns
                .map(|(key, kind)| array(*kind, rows.iter_mut().map(|row| value(row, key))))
                .collect::<Result<_, _>>()?
        }
        Columns::Arrow(schema) => {
            let fields = schema.fields().iter().enumerate();
            let places: Vec<usize> =
                fields.filter(|(_, field)| is_kept(field.name())).map(|(i, _)| i).collect();
            if places.is_empty() {
                return Ok(Vec::new());
            }
            let rows = interleaved(&rows, &places)?;
            rows.columns().iter().map(writable).collect::<Result<_, _>>()?
        }
    })
}

/// Some columns of rows of several batches, as one batch.
fn interleaved(rows: &[Arc<Row>], columns: &[usize]) -> Result<RecordBatch, ArrowError> {
    let mut batches: Vec<&RecordBatch> = Vec::new();
    let mut places = Vec::new();
    for row in rows {
        let Row::Arrow { batch, row, .. } = row.as_ref() else { continue };
        if !batches.last().is_some_and(|last| std::ptr::eq(*last, Arc::as_ptr(batch))) {
            batches.push(batch);
        }
        places.push((batches.len() - 1, *row));
    }
    let batches: Vec<RecordBatch> =
        batches.into_iter().map(|batch| batch.project(columns)).collect::<Result<_, _>>()?;
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    arrow_select::interleave::interleave_record_batch(&batches, &places)
}

fn is_view(kind: &DataType) -> bool {
    matches!(kind, DataType::Utf8View | DataType::BinaryView)
}

/// How a column is written: the library has no dictionaries of views.
fn written(field: &Arc<Field>) -> Arc<Field> {
    match field.data_type() {
        DataType::Dictionary(_, values) if is_view(values) => {
            Arc::new(field.as_ref().clone().with_data_type(values.as_ref().clone()))
        }
        _ => field.clone(),
    }
}

/// A column that the library writes, see [`written`]. Views of strings it takes for any kind of strings.
fn writable(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, values) if is_view(values) => {
            let dictionary = column.as_any_dictionary();
            arrow_select::take::take(dictionary.values(), dictionary.keys(), None)
        }
        _ => Ok(column.clone()),
    }
}

/// A field of a table of text. An empty one is an empty string, or no number.
fn field(row: &mut Arc<Row>, i: usize) -> Option<String> {
    match Arc::get_mut(row) {
        Some(Row::Strings { values, .. }) => values.get_mut(i).map(mem::take),
        Some(_) => None,
        None => match &**row {
            Row::Strings { values, .. } => values.get(i).cloned(),
            _ => None,
        },
    }
}

/// A value of JSON: a string's characters, anything else as it is written. The text is beside the others.
fn value(row: &mut Arc<Row>, key: &str) -> Option<String> {
    let place = |values: &[(String, String)]| values.iter().position(|(known, _)| known == key);
    let (value, text) = match Arc::get_mut(row) {
        Some(Row::Json { values, text }) => {
            let place = place(values)?;
            (mem::take(&mut values[place].1), text)
        }
        Some(_) => return None,
        None => match &**row {
            Row::Json { values, .. } => (values[place(values)?].1.clone(), &mut None),
            _ => return None,
        },
    };
    match value.as_str() {
        "" => text.take(),
        "null" => None,
        string if string.starts_with('"') => Some(lossy(string)),
        _ => Some(value),
    }
}

/// An array of values that its kind holds.
fn array(kind: Kind, values: impl Iterator<Item = Option<String>>) -> Result<ArrayRef, ArrowError> {
    fn parsed<T: FromStr>(value: Option<String>) -> Option<T> {
        value?.parse().ok()
    }
    let is_true = |value: Option<String>| match value?.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Ok(match kind {
        Kind::Bool => Arc::new(values.map(is_true).collect::<BooleanArray>()),
        Kind::Int => Arc::new(values.map(parsed::<i64>).collect::<Int64Array>()),
        Kind::Uint => Arc::new(values.map(parsed::<u64>).collect::<UInt64Array>()),
        Kind::Float => Arc::new(values.map(parsed::<f64>).collect::<Float64Array>()),
        Kind::String => Arc::new(strings(values)?),
    })
}

/// A string that is longer becomes part of an array without a copy.
const LONG_BYTES: usize = 1 << 20;

fn strings(values: impl Iterator<Item = Option<String>>) -> Result<StringViewArray, ArrowError> {
    let mut builder = StringViewBuilder::new();
    for value in values {
        match value {
            Some(value) if value.len() > LONG_BYTES => {
                let length = value.len() as u32;
                let block = builder.append_block(Buffer::from_vec(value.into_bytes()));
                builder.try_append_view(block, 0, length)?;
            }
            value => builder.append_option(value),
        }
    }
    Ok(builder.finish())
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
