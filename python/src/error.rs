//! The library's errors as Python exceptions.

use monomorph::Error;
use pyo3::exceptions::{
    PyException, PyMemoryError, PyOSError, PyRuntimeError, PyTypeError, PyUnicodeEncodeError,
    PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use std::ffi::CString;
use std::io;

static MONOMORPH_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Adds `MonomorphError` to the extension. It is named after the package, where it can be found again by a process that
/// unpickles it.
pub fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let name: String = module.name()?.extract()?;
    let package = name.rsplit_once('.').map_or(name.as_str(), |(package, _)| package);
    let qualified = CString::new(format!("{package}.MonomorphError"))?;
    let doc = c"The model cannot be used, or could not embed a text.";
    let new = || {
        let base = py.get_type::<PyRuntimeError>();
        PyErr::new_type(py, &qualified, Some(doc), Some(&base), None)
    };
    module.add("MonomorphError", MONOMORPH_ERROR.get_or_try_init(py, new)?)
}

/// A `MonomorphError`.
pub fn monomorph_error(py: Python<'_>, message: String) -> PyErr {
    match MONOMORPH_ERROR.get(py) {
        Some(class) => PyErr::from_type(class.bind(py).clone(), message),
        None => PyRuntimeError::new_err(message),
    }
}

/// The exception for an error. `place` says which text of the caller's it is that has this index in the request.
pub fn exception(py: Python<'_>, error: &Error, place: &dyn Fn(usize) -> String) -> PyErr {
    let message = match error.text() {
        Some(text) => format!("{}: {}", place(text), error.reason()),
        None => message(error),
    };
    match error {
        Error::Open { path, error } => match error.raw_os_error() {
            Some(code) => PyOSError::new_err((code, reason(error), path.clone())),
            None => PyOSError::new_err(message),
        },
        Error::Threads(_) => PyOSError::new_err(message),
        Error::Memory(_) => PyMemoryError::new_err(message),
        Error::Isa { .. }
        | Error::Prompt { .. }
        | Error::NoPrompts { .. }
        | Error::Dimensions { .. }
        | Error::TooLong { .. }
        | Error::Rows { .. } => PyValueError::new_err(message),
        _ => monomorph_error(py, message),
    }
}

/// What the library says, where it speaks of a binary and of cargo in the words of a wheel.
fn message(error: &Error) -> String {
    match error {
        Error::WrongModel { path, differences } => format!(
            "{} is not the file that this package was built for ({}); build a wheel for it: MODEL_GGUF={} pip wheel \
             ./python",
            path.display(),
            differences.join("; "),
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display(),
        ),
        Error::Content { path } => format!(
            "{}: its content differs from that of the file that this package was built from; fetch it again, or build \
             a wheel for it",
            path.display()
        ),
        Error::Damaged => {
            "the weights inside this package differ from those of its build; install the wheel again".to_owned()
        }
        other => other.to_string(),
    }
}

/// The system's words without the number, which Python adds itself.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// An exception of reading a text from Python, with its index.
pub fn of_text(py: Python<'_>, error: PyErr, index: usize) -> PyErr {
    let value = error.value(py);
    if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
        return error;
    }
    let get = |name| value.getattr(name).map(Bound::unbind);
    let arguments = (|| {
        let reason = format!("texts[{index}]: {}", value.getattr("reason")?);
        PyResult::Ok((get("encoding")?, get("object")?, get("start")?, get("end")?, reason))
    })();
    match arguments {
        Ok(arguments) => PyUnicodeEncodeError::new_err(arguments),
        Err(other) => other,
    }
}

/// The exception for a text that is none.
pub fn not_a_text(found: &Bound<'_, PyAny>, index: usize) -> PyErr {
    let name = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("texts[{index}] is of type {name}, not str"))
}

/// The exception for an error of another library.
pub fn other(error: impl std::fmt::Display) -> PyErr {
    PyException::new_err(error.to_string())
}
