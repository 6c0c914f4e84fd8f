//! The Parquet files that batch writes, and others with a column of lists of numbers.

use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int8Type, UInt8Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use monomorph::Ranges;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};

use super::decode::{Decode, Stored, plus_128};
use super::{About, Block, Label, Next, Part, Place, Reading, Vectors};
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
    color_column: Option<String>,
    decode: Decode,
    batch: Option<RecordBatch>,
    /// The next row of the batch, and the first one of the last block.
    row: usize,
    first_of_block: usize,
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

/// Opens a file in at most so many parts, each of some of its row groups.
pub fn open_parts(
    open: impl Fn() -> Result<File, Failure>,
    name: String,
    reading: &Reading<'_>,
    n: usize,
) -> Result<Vec<Part<'static>>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
    let read = || {
        ArrowReaderMetadata::load(&open()?, ArrowReaderOptions::default()).map_err(|e| failed(&e))
    };
    let metadata = guarded(read).map_err(|e| failed(&e))??;
    let groups = metadata.metadata().row_groups();
    let rows: Vec<u64> =
        groups.iter().map(|group| group.num_rows().max(0).cast_unsigned()).collect();
    let all: u64 = rows.iter().sum();
    let (mut parts, mut first, mut row) = (Vec::new(), 0, 0);
    for part in 1..=n.max(1) {
        let end = (u128::from(all) * part as u128 / n.max(1) as u128) as u64;
        let (begin, from) = (row, first);
        while first < rows.len() && (row < end || part == n.max(1)) {
            row += rows[first];
            first += 1;
        }
        // An empty file has a part, too.
        if from < first || (part == n.max(1) && parts.is_empty()) {
            let groups = (from..first).collect();
            let vectors = Parquet::open(open()?, name.clone(), metadata.clone(), reading, groups)?;
            parts.push(Part { first: begin, vectors: Box::new(vectors) });
        }
    }
    Ok(parts)
}

impl Parquet {
    fn open(
        file: File,
        name: String,
        metadata: ArrowReaderMetadata,
        reading: &Reading<'_>,
        groups: Vec<usize>,
    ) -> Result<Parquet, Failure> {
        let failed =
            |error: &dyn std::fmt::Display| Failure::Failed(format!("cannot read {name}: {error}"));
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let (column, schema) = (reading.column, builder.schema());
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
        let text_column = reading.text_column;
        let asked = [text_column, reading.color_column].into_iter().flatten();
        if let Some(column) = asked.into_iter().find(|c| schema.field_with_name(c).is_err()) {
            return Err(missing(column, ""));
        }
        let (stored, length) = stored(field.data_type())
            .map_err(|why| Failure::Failed(format!("{name}: column {column:?} {why}")))?;
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let pair = |key: &str| {
            let found = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == key));
            found.and_then(|pair| pair.value.clone())
        };
        let about =
            About { model: pair("monomorph.model_xxh3_128"), prompt: pair("monomorph.prompt") };
        let decode = match &reading.told {
            Some(told) => told.clone(),
            None => said(&pair).map_err(|why| Failure::Failed(format!("{name}: {why}")))?,
        };
        decode
            .check(stored, length)
            .map_err(|why| Failure::Failed(format!("{name}: column {column:?}: {why}")))?;
        // The file knows which columns its vectors were made of.
        let said = |key: &str, default: &str| pair(key).unwrap_or_else(|| default.to_owned());
        let id_column = said("monomorph.id_column", "id");
        let text_column =
            text_column.map_or_else(|| said("monomorph.text_column", "text"), str::to_owned);
        let of_chunks = pair("monomorph.chunk").filter(|chunk| !chunk.is_empty()).is_some();
        let wanted = |field: &str| {
            [column, &text_column, &id_column].contains(&field)
                || (of_chunks && PLACE_COLUMNS.contains(&field))
                || reading.color_column == Some(field)
        };
        let roots = schema.fields().iter().enumerate();
        let roots: Vec<usize> =
            roots.filter(|(_, field)| wanted(field.name())).map(|(i, _)| i).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let build = || {
            let builder = builder.with_projection(mask).with_row_groups(groups);
            builder.with_batch_size(1024).build()
        };
        let batches = guarded(build).map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
        let column = column.to_owned();
        Ok(Parquet {
            batches,
            name,
            column,
            text_column,
            id_column,
            about,
            color_column: reading.color_column.map(str::to_owned),
            decode,
            batch: None,
            row: 0,
            first_of_block: 0,
        })
    }

    /// Reads the next batch once all rows of the last one have been read; false at the end.
    fn advance(&mut self) -> Result<bool, Failure> {
        while self.batch.as_ref().is_none_or(|batch| batch.num_rows() == self.row) {
            let failed = |reason| Failure::Failed(format!("cannot read {}: {reason}", self.name));
            match guarded(|| self.batches.next()).map_err(failed)? {
                Some(Ok(batch)) => (self.batch, self.row) = (Some(batch), 0),
                Some(Err(error)) => return Err(failed(error.to_string())),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The values of all rows of the batch, where each row has a vector of the same length without nulls.
    fn whole(&self) -> Option<(ArrayRef, usize)> {
        let lists = self.column(&self.column)?.as_fixed_size_list_opt()?;
        let has_all = lists.null_count() == 0 && lists.values().null_count() == 0;
        has_all.then(|| (lists.values().clone(), lists.value_length() as usize))
    }

    /// Appends the floats of stored values, of one or more vectors.
    fn extend(&self, stored: &ArrayRef, length: usize, values: &mut Vec<f32>) {
        match stored.data_type() {
            DataType::Float16 => {
                let halves = stored.as_primitive::<Float16Type>().values();
                values.extend(halves.iter().map(|x| x.to_f32()));
            }
            DataType::Float64 => {
                let doubles = stored.as_primitive::<Float64Type>().values();
                values.extend(doubles.iter().map(|x| *x as f32));
            }
            DataType::Int8 => {
                for row in stored.as_primitive::<Int8Type>().values().chunks_exact(length.max(1)) {
                    self.decode.extend(row.iter().map(|byte| plus_128(*byte)), values);
                }
            }
            DataType::UInt8 => {
                for row in stored.as_primitive::<UInt8Type>().values().chunks_exact(length.max(1)) {
                    self.decode.extend(row.iter().copied(), values);
                }
            }
            _ => values.extend(stored.as_primitive::<Float32Type>().values()),
        }
    }

    fn label_at(&self, row: usize) -> Label {
        let text = |name: &str| self.column(name).and_then(|column| text_at(column, row));
        let number = |name: &str| {
            let column = self.column(name)?.as_primitive_opt::<UInt64Type>()?;
            Some(column.value(row))
        };
        let place = number("chunk_begin").zip(number("chunk_end"));
        Label {
            id: self.column(&self.id_column).and_then(|column| match id_at(column, row) {
                Found::Id(id) => Some(id),
                Found::None | Found::Other(_) => None,
            }),
            text: text(&self.text_column),
            place: place.map(|(chunk_begin, chunk_end)| Place {
                path: text("path"),
                heading: text("heading"),
                chunk_begin,
                chunk_end,
            }),
            color: self.color_column.as_deref().and_then(|name| value_at(self.column(name)?, row)),
        }
    }

    fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.as_ref().and_then(|batch| batch.column_by_name(name))
    }
}

/// The columns that say where a chunk is.
const PLACE_COLUMNS: [&str; 4] = ["path", "heading", "chunk_begin", "chunk_end"];

/// A value in words; none if it is null.
fn value_at(column: &ArrayRef, row: usize) -> Option<String> {
    if let (Some(values), false) = (column.as_boolean_opt(), column.is_null(row)) {
        return Some(values.value(row).to_string());
    }
    match id_at(column, row) {
        Found::None => None,
        Found::Id(id) => Some(id.plain()),
        Found::Other(value) => Some(value),
    }
}

/// What the values of a column of vectors are, and how many a vector has if all have as many.
fn stored(kind: &DataType) -> Result<(Stored, usize), String> {
    let (item, length) = match kind {
        DataType::FixedSizeList(item, length) => (item, *length as usize),
        DataType::List(item) | DataType::LargeList(item) => (item, 0),
        other => {
            return Err(format!(
                "is {}, not lists of numbers; choose the column of the vectors with --embedding-column",
                other.to_string().to_lowercase()
            ));
        }
    };
    let stored = match item.data_type() {
        DataType::Float16 => Stored::Half,
        DataType::Float32 => Stored::Single,
        DataType::Float64 => Stored::Double,
        DataType::Int8 => Stored::Signed,
        DataType::UInt8 => Stored::Unsigned,
        other => {
            let other = other.to_string().to_lowercase();
            return Err(format!("holds lists of {other}, which are not read as vectors"));
        }
    };
    Ok((stored, length))
}

/// How a file that batch wrote says that its values were made.
fn said(pair: &impl Fn(&str) -> Option<String>) -> Result<Decode, String> {
    let Some(precision) = pair("monomorph.precision").and_then(|name| name.parse().ok()) else {
        return Ok(Decode::Floats);
    };
    let order = pair("monomorph.bit_order").and_then(|order| order.parse().ok());
    let ranges = pair("monomorph.ranges").and_then(|ranges| {
        let [least, greatest] = serde_json::from_str(&ranges).ok()?;
        Some(Ranges { least, greatest })
    });
    Decode::new(precision, order.unwrap_or_default(), ranges.as_ref())
}

impl Vectors for Parquet {
    fn next(&mut self, vector: &mut Vec<f32>) -> Result<Next, Failure> {
        if !self.advance()? {
            return Ok(Next::End);
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
        self.extend(&list, list.len(), vector);
        Ok(Next::Vector)
    }

    fn label(&self) -> Label {
        self.label_at(self.row - 1)
    }

    fn next_block(&mut self, block: &mut Block) -> Result<bool, Failure> {
        block.values.clear();
        block.has_vector.clear();
        if !self.advance()? {
            return Ok(false);
        }
        let rows = self.batch.as_ref().map_or(0, RecordBatch::num_rows);
        if let (0, Some((stored, length))) = (self.row, self.whole()) {
            self.extend(&stored, length, &mut block.values);
            block.has_vector.resize(rows, true);
            block.dimensions = self.decode.dimensions(length);
            (self.first_of_block, self.row) = (0, rows);
            return Ok(true);
        }
        self.first_of_block = self.row;
        match self.next(&mut block.values)? {
            Next::Vector => {
                (block.dimensions, block.has_vector) = (block.values.len(), vec![true]);
            }
            Next::Null | Next::End => block.has_vector.push(false),
        }
        Ok(true)
    }

    fn label_of(&self, row: usize) -> Label {
        self.label_at(self.first_of_block + row)
    }

    fn about(&self) -> About {
        About { model: self.about.model.clone(), prompt: self.about.prompt.clone() }
    }
}
