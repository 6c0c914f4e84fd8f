//! Columns of strings in, columns of vectors out, by Arrow's capsules.

use crate::embedder::{Embedder, Options};
use crate::error;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeListArray, Float32Array};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef};
use monomorph::built::{FINGERPRINT, SPEC};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};
use pyo3_arrow::error::PyArrowResult;
use pyo3_arrow::ffi::{to_array_pycapsules, to_schema_pycapsule};
use pyo3_arrow::input::AnyArray;
use std::collections::HashMap;
use std::sync::Arc;

/// A column of vectors, which any library that knows Arrow's capsules can take.
#[pyclass(frozen)]
pub struct ArrowArray {
    field: FieldRef,
    array: ArrayRef,
}

#[pymethods]
impl ArrowArray {
    fn __len__(&self) -> usize {
        self.array.len()
    }

    #[getter]
    fn null_count(&self) -> usize {
        self.array.null_count()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyArrowResult<Bound<'py, PyCapsule>> {
        to_schema_pycapsule(py, self.field.as_ref())
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyArrowResult<Bound<'py, PyTuple>> {
        to_array_pycapsules(py, self.field.clone(), &self.array, requested_schema)
    }
}

/// The vectors of a column of strings, and the number of texts that were cut. Nulls stay null.
#[pyfunction]
pub fn encode_arrow(
    embedder: &Bound<'_, Embedder>,
    py: Python<'_>,
    column: &Bound<'_, PyAny>,
    options: Options,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<(ArrowArray, usize)> {
    let reader = column.extract::<AnyArray>().map_err(|_| not_arrow(column))?.into_reader()?;
    check_type(reader.field().data_type(), "the column").map_err(PyTypeError::new_err)?;
    let metadata = metadata(&options);
    let chunks: Vec<ArrayRef> = reader.collect::<Result<_, ArrowError>>().map_err(error::other)?;
    let strings: Vec<Option<&str>> = chunks.iter().flat_map(|chunk| strings(chunk)).collect();
    let texts: Vec<&str> = strings.iter().flatten().copied().collect();
    let place = |text| format!("row {}", row(strings.iter().map(Option::is_some), text));
    let rows = embedder.get().rows(py, &texts, options, progress.as_ref(), &place)?;
    let validity: NullBuffer = strings.iter().map(Option::is_some).collect();
    let array = vectors(rows.values, rows.width, validity).map_err(error::other)?;
    let field = Field::new("embedding", array.data_type().clone(), true).with_metadata(metadata);
    Ok((ArrowArray { field: field.into(), array: Arc::new(array) }, rows.cut))
}

/// The place in the column of the text with this index among those that are not null.
pub fn row(is_text: impl Iterator<Item = bool>, text: usize) -> usize {
    is_text.enumerate().filter(|(_, is_text)| *is_text).nth(text).map_or(text, |(row, _)| row)
}

/// The type of a column of vectors.
pub fn vector_type(width: usize) -> DataType {
    DataType::FixedSizeList(item(), i32::try_from(width).unwrap_or(i32::MAX))
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// A column of vectors. `values` has a row for each place that is valid; the others get zeros.
pub fn vectors(
    mut values: Vec<f32>,
    width: usize,
    validity: NullBuffer,
) -> Result<FixedSizeListArray, ArrowError> {
    if validity.null_count() > 0 {
        values.resize(validity.len() * width, 0.0);
        let mut next = validity.len() - validity.null_count();
        // From the last row, so that none is overwritten before it has moved.
        for row in (0..validity.len()).rev() {
            let to = row * width;
            if validity.is_valid(row) {
                next -= 1;
                values.copy_within(next * width..(next + 1) * width, to);
            } else {
                values[to..to + width].fill(0.0);
            }
        }
    }
    let validity = Some(validity).filter(|validity| validity.null_count() > 0);
    let values = Arc::new(Float32Array::from(values));
    FixedSizeListArray::try_new(item(), i32::try_from(width).unwrap_or(i32::MAX), values, validity)
}

/// What the vectors are, under the names that `monomorph batch` gives it.
pub fn metadata(options: &Options) -> HashMap<String, String> {
    let dimensions = options.dimensions.unwrap_or(SPEC.n_out);
    let pairs = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("model", SPEC.name.to_string()),
        ("model_xxh3_128", format!("{:032x}", FINGERPRINT.content)),
        ("prefix", options.prefix.clone()),
        ("dimensions", dimensions.to_string()),
        ("normalized", options.normalize.to_string()),
        ("precision", "float32".to_owned()),
    ];
    pairs.into_iter().map(|(key, value)| (format!("monomorph.{key}"), value)).collect()
}

/// Refuses a column that holds no strings.
pub fn check_type(found: &DataType, what: &str) -> Result<(), String> {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(()),
        DataType::Dictionary(_, values) => check_type(values, what),
        other => Err(format!("{what} is of Arrow's type {other}, not of strings")),
    }
}

/// The strings of a column that `check_type` accepts, without copying.
pub fn strings(column: &dyn Array) -> Vec<Option<&str>> {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().collect(),
        DataType::Utf8View => column.as_string_view().iter().collect(),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let values = strings(dictionary.values());
            let keys = dictionary.normalized_keys();
            let of = |(row, key): (usize, &usize)| {
                let value = if dictionary.keys().is_valid(row) { values.get(*key) } else { None };
                value.copied().flatten()
            };
            keys.iter().enumerate().map(of).collect()
        }
        _ => vec![None; column.len()],
    }
}

fn not_arrow(found: &Bound<'_, PyAny>) -> PyErr {
    let name = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "{name} is no column of Arrow's; give a pyarrow or polars column, or anything else with __arrow_c_array__ or \
         __arrow_c_stream__ (encode takes lists)"
    ))
}
