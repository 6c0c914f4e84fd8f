//! Texts from Python.

use crate::error;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyString;

/// Fewer bytes than this take well under a second to embed.
const SHORT_BYTES: usize = 8 << 10;

/// The texts of any iterable. They are borrowed from Python, which keeps the UTF-8 of its strings.
pub fn read(texts: &Bound<'_, PyAny>) -> PyResult<Vec<PyBackedStr>> {
    let mut read = Vec::with_capacity(texts.len().unwrap_or(0));
    for (i, text) in texts.try_iter()?.enumerate() {
        let text = text?;
        let text =
            text.cast_into::<PyString>().map_err(|e| error::not_a_text(&e.into_inner(), i))?;
        let py = text.py();
        read.push(PyBackedStr::try_from(text).map_err(|e| error::of_text(py, e, i))?);
    }
    Ok(read)
}

/// Whether a request with these texts is over before anyone would interrupt it.
pub fn are_short(texts: &[impl AsRef<str>]) -> bool {
    texts.len() <= SHORT_BYTES
        && texts.iter().map(|text| text.as_ref().len()).sum::<usize>() < SHORT_BYTES
}

/// How a text is named in messages.
pub fn place(index: usize) -> String {
    format!("texts[{index}]")
}
