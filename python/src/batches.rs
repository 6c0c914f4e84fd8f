//! Tables of any length: record batches in, record batches with one more column out, on demand.

use crate::arrow::{check_type, metadata, row, strings, vector_type, vectors};
use crate::embedder::{Embedder, Options, library, width};
use crate::opened::Opened;
use crate::{error, texts};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use monomorph::EmbedOptions;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::error::PyArrowResult;
use pyo3_arrow::ffi::{ArrayIterator, to_schema_pycapsule, to_stream_pycapsule};
use pyo3_arrow::input::AnyRecordBatch;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that get their vectors at a time: 12 MB of 768 dimensions, and work for seconds.
const MAX_ROWS: usize = 4096;

/// A table whose vectors are made as it is read, once.
#[pyclass(frozen)]
pub struct ArrowStream {
    schema: SchemaRef,
    batches: Mutex<Option<Batches>>,
    cut: Arc<AtomicUsize>,
}

#[pymethods]
impl ArrowStream {
    /// Texts that were cut so far.
    #[getter]
    fn cut(&self) -> usize {
        self.cut.load(Ordering::Relaxed)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyArrowResult<Bound<'py, PyCapsule>> {
        to_schema_pycapsule(py, self.schema.as_ref())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyArrowResult<Bound<'py, PyCapsule>> {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        let batches =
            batches.ok_or_else(|| PyValueError::new_err("the stream has been read already"))?;
        // A stream of tables is one of structs.
        let field = Field::new_struct("", self.schema.fields().clone(), false)
            .with_metadata(self.schema.metadata().clone());
        let arrays = batches.map(|batch| Ok(Arc::new(StructArray::from(batch?)) as ArrayRef));
        to_stream_pycapsule(
            py,
            Box::new(ArrayIterator::new(arrays, field.into())),
            requested_schema,
        )
    }
}

/// A table with a further column of vectors, made as it is read.
#[pyfunction]
pub fn encode_batches(
    embedder: &Bound<'_, Embedder>,
    py: Python<'_>,
    batches: &Bound<'_, PyAny>,
    column: &str,
    output: &str,
    options: Options,
) -> PyResult<ArrowStream> {
    let reader =
        batches.extract::<AnyRecordBatch>().map_err(|_| not_a_table(batches))?.into_reader()?;
    let input = reader.schema();
    let names =
        || input.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
    let Some((index, field)) = input.column_with_name(column) else {
        return Err(PyValueError::new_err(format!(
            "there is no column {column:?}; there are {}",
            names()
        )));
    };
    if input.column_with_name(output).is_some() {
        return Err(PyValueError::new_err(format!(
            "the table has a column {output:?} already; name another output"
        )));
    }
    check_type(field.data_type(), &format!("the column {column:?}"))
        .map_err(PyTypeError::new_err)?;
    let metadata = metadata(&options);
    let (options, _) = options.parse()?;
    let opened = embedder.get().opened(py)?;
    let width = width(&options, library(py, &opened)?)
        .map_err(|e| error::exception(py, &e, &texts::place))?;
    let vector = Field::new(output, vector_type(width), true).with_metadata(metadata);
    let mut fields = input.fields().to_vec();
    fields.push(vector.into());
    let schema = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
    let cut = Arc::new(AtomicUsize::new(0));
    let batches = Batches {
        opened,
        reader,
        index,
        options,
        width,
        schema: schema.clone(),
        slices: VecDeque::new(),
        rows: 0,
        cut: cut.clone(),
    };
    Ok(ArrowStream { schema, batches: Mutex::new(Some(batches)), cut })
}

/// The batches with their vectors. They are made on the consumer's thread, without Python.
struct Batches {
    opened: Arc<Opened>,
    reader: Box<dyn RecordBatchReader + Send>,
    /// Of the column of texts.
    index: usize,
    options: EmbedOptions,
    width: usize,
    schema: SchemaRef,
    /// What is left of the last batch.
    slices: VecDeque<RecordBatch>,
    /// Rows that were given out.
    rows: usize,
    cut: Arc<AtomicUsize>,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.slices.is_empty() {
            match self.reader.next()? {
                Ok(batch) => {
                    let starts = (0..batch.num_rows()).step_by(MAX_ROWS);
                    let slice = |start| batch.slice(start, MAX_ROWS.min(batch.num_rows() - start));
                    self.slices.extend(starts.map(slice));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        let slice = self.slices.pop_front()?;
        Some(self.with_vectors(&slice).map_err(ArrowError::ComputeError))
    }
}

impl Batches {
    fn with_vectors(&mut self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let embedder = self
            .opened
            .embedder()
            .ok_or("the process has forked since the stream was made; make it again")?;
        let strings = strings(batch.column(self.index));
        let texts: Vec<&str> = strings.iter().flatten().copied().collect();
        let mut values = vec![0.0; texts.len() * self.width];
        let counts =
            embedder.run_into(&texts, &self.options, None, &mut values, |_| ()).map_err(|e| {
                let row =
                    e.text().map(|text| self.rows + row(strings.iter().map(Option::is_some), text));
                row.map_or_else(|| e.to_string(), |row| format!("row {row}: {}", e.reason()))
            })?;
        self.cut.fetch_add(counts.cut, Ordering::Relaxed);
        self.rows += batch.num_rows();
        let validity: NullBuffer = strings.iter().map(Option::is_some).collect();
        let vectors = vectors(values, self.width, validity).map_err(|e| e.to_string())?;
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(vectors));
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| e.to_string())
    }
}

fn not_a_table(found: &Bound<'_, PyAny>) -> PyErr {
    let name = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "{name} is no table of Arrow's; give a pyarrow or polars table, a reader of record batches, or anything else \
         with __arrow_c_stream__"
    ))
}
