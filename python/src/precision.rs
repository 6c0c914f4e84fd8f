//! Vectors in other precisions, as the library defines them.

use monomorph::{BitOrder, Precision, Quantizer, Ranges, UnknownValue, Values};
use numpy::{Element, IntoPyArray, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Rows of float32 in another precision. `ranges` has two rows: the least and the greatest value of each dimension.
#[pyfunction]
#[pyo3(signature = (rows, precision, ranges))]
pub fn quantize<'py>(
    py: Python<'py>,
    rows: PyReadonlyArray2<'py, f32>,
    precision: &str,
    ranges: Option<PyReadonlyArray2<'py, f32>>,
) -> PyResult<Bound<'py, PyAny>> {
    let refuse = |message: String| PyValueError::new_err(message);
    let precision: Precision =
        precision.parse().map_err(|e: UnknownValue| refuse(e.to_string()))?;
    let ranges =
        ranges.map(|ranges| match ranges.as_slice()?.split_at_checked(ranges.shape()[1]) {
            Some((least, greatest)) if least.len() == greatest.len() => {
                Ok(Ranges { least: least.to_vec(), greatest: greatest.to_vec() })
            }
            _ => Err(refuse(
                "ranges need two rows: the least and the greatest value of each dimension"
                    .to_owned(),
            )),
        });
    let (n, width) = (rows.shape()[0], rows.shape()[1]);
    let quantizer = Quantizer::new(precision, BitOrder::Msb, ranges.transpose()?.as_ref(), width)
        .map_err(|e| refuse(format!("precision {precision}: {e}")))?;
    let rows = rows.as_slice()?;
    let quantized: Vec<Values> =
        py.detach(|| rows.chunks_exact(width.max(1)).map(|row| quantizer.quantize(row)).collect());
    py.check_signals()?;
    let width = precision.len(width);
    match precision {
        Precision::Float32 => {
            array(py, quantized, n, width, |v| if let Values::F32(v) = v { v } else { vec![] })
        }
        Precision::Float16 => {
            array(py, quantized, n, width, |v| if let Values::F16(v) = v { v } else { vec![] })
        }
        Precision::Int8 | Precision::Binary => {
            array(py, quantized, n, width, |v| if let Values::I8(v) = v { v } else { vec![] })
        }
        Precision::Uint8 | Precision::Ubinary => {
            array(py, quantized, n, width, |v| if let Values::U8(v) = v { v } else { vec![] })
        }
    }
}

fn array<T: Element>(
    py: Python<'_>,
    rows: Vec<Values>,
    n: usize,
    width: usize,
    values: impl Fn(Values) -> Vec<T>,
) -> PyResult<Bound<'_, PyAny>> {
    let values: Vec<T> = rows.into_iter().flat_map(values).collect();
    Ok(values.into_pyarray(py).reshape([n, width])?.into_any())
}
