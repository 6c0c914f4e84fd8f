//! The extension `_native` of a model's Python package: the open model, and what the build knows of it. The package's
//! Python files, in `monomorph/`, make the rest.

mod arrow;
mod batches;
mod embedder;
mod error;
mod opened;
mod precision;
mod texts;
mod wait;

use monomorph::built::{self, FINGERPRINT, SPEC};
use numpy::PyArray1;
use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    // rust-numpy asks Python for NumPy's functions once, and would panic if a signal came in between.
    PyArray1::<f32>::zeros(py, 0, false);
    error::add_to(module)?;
    module.add_class::<embedder::Embedder>()?;
    module.add_class::<arrow::ArrowArray>()?;
    module.add_class::<batches::ArrowStream>()?;
    module.add_function(wrap_pyfunction!(arrow::encode_arrow, module)?)?;
    module.add_function(wrap_pyfunction!(batches::encode_batches, module)?)?;
    module.add_function(wrap_pyfunction!(precision::quantize, module)?)?;
    module.add_function(wrap_pyfunction!(license, module)?)?;
    module.add("NAME", SPEC.name.as_ref())?;
    module.add("ARCHITECTURE", SPEC.architecture.as_ref())?;
    module.add("DIMENSIONS", SPEC.n_out)?;
    module.add("MAX_SEQ_LENGTH", SPEC.n_ctx)?;
    module.add("IS_EMBEDDED", built::IS_EMBEDDED)?;
    module.add("FINGERPRINT", format!("{:032x}", FINGERPRINT.content))?;
    let prompt =
        |p: &monomorph::Prompt| (p.names.to_vec(), p.prefix, p.titled.map(|[a, b]| (a, b)));
    module.add("PROMPTS", SPEC.prompts.iter().map(prompt).collect::<Vec<_>>())
}

/// The terms of the program and of the model.
#[pyfunction]
fn license() -> String {
    monomorph::license()
}
