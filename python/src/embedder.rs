//! The class `Embedder`: an open model, as `monomorph._model` uses it.

use crate::opened::{How, Opened};
use crate::wait::without_gil;
use crate::{error, texts};
use monomorph::{EmbedOptions, Embedder as Library, Error, Truncate, built};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An open model.
#[pyclass(frozen)]
pub struct Embedder {
    how: How,
    /// None once it is closed. Locked only with the GIL held, so that no fork finds it locked.
    opened: Mutex<Option<Arc<Opened>>>,
}

/// What applies to each text of a call.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Options {
    /// What is put before the text.
    pub prefix: String,
    /// Values of a vector, if not all.
    pub dimensions: Option<usize>,
    /// Whether vectors are scaled to length one.
    pub normalize: bool,
    truncate: String,
}

impl Options {
    /// The library's options, with a flag that cancels the request.
    pub fn parse(self) -> PyResult<(EmbedOptions, Arc<AtomicBool>)> {
        let truncate: Truncate = self
            .truncate
            .parse()
            .map_err(|e: monomorph::UnknownValue| PyValueError::new_err(e.to_string()))?;
        let cancel = Arc::new(AtomicBool::new(false));
        let options = EmbedOptions {
            prefix: Some(self.prefix),
            dimensions: self.dimensions,
            normalize: self.normalize,
            truncate,
            cancel: Some(cancel.clone()),
            ..EmbedOptions::default()
        };
        Ok((options, cancel))
    }
}

#[pymethods]
impl Embedder {
    #[new]
    fn new(
        py: Python<'_>,
        path: Option<PathBuf>,
        threads: Option<usize>,
        keep_panels: bool,
        isa: Option<String>,
    ) -> PyResult<Embedder> {
        let mut options = Library::options().keep_panels(keep_panels);
        if let Some(threads) = threads {
            options = options.threads(threads);
        }
        if let Some(isa) = isa {
            options = options.isa(isa);
        }
        let how = How { path, options };
        let opened =
            py.detach(|| how.open()).map_err(|e| error::exception(py, &e, &texts::place))?;
        Ok(Embedder { how, opened: Mutex::new(Some(opened)) })
    }

    /// Vectors of texts, a row each, and the number of texts that were cut.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        options: Options,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyArray2<f32>>, usize)> {
        let texts = texts::read(texts)?;
        let rows = self.rows(py, &texts, options, progress.as_ref(), &texts::place)?;
        Ok((rows.values.into_pyarray(py).reshape([texts.len(), rows.width])?, rows.cut))
    }

    /// The ids of each text, as the model would see them: after its prompt, cut to the context.
    fn tokenize<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        options: Options,
    ) -> PyResult<Bound<'py, PyList>> {
        let encodings = self.encodings(py, texts, options)?;
        let arrays = encodings.into_iter().map(|(ids, _)| ids.into_pyarray(py));
        PyList::new(py, arrays.collect::<Vec<_>>())
    }

    /// The number of tokens of each text, those beyond the context included.
    fn count_tokens<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        options: Options,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let encodings = self.encodings(py, texts, options)?;
        let counts = encodings.into_iter().map(|(ids, dropped)| (ids.len() + dropped) as i64);
        Ok(counts.collect::<Vec<_>>().into_pyarray(py))
    }

    /// Checks that the weights are byte for byte those of the build.
    fn verify(&self, py: Python<'_>) -> PyResult<()> {
        self.opened(py)?;
        let verify = |_: &mut dyn FnMut(usize)| match (&self.how.path, built::IS_EMBEDDED) {
            (Some(path), _) => Library::verify(path),
            (None, true) => Library::verify_embedded(),
            (None, false) => Library::verify(built::SOURCE),
        };
        without_gil(py, true, &AtomicBool::new(false), None, verify)?
            .map_err(|e| error::exception(py, &e, &texts::place))
    }

    /// What the model runs on.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let opened = self.opened(py)?;
        let info = library(py, &opened)?.info();
        let dict = PyDict::new(py);
        dict.set_item("isa", info.isa)?;
        dict.set_item("kernels", info.path)?;
        dict.set_item("threads", info.threads)?;
        dict.set_item("dimensions", info.dimensions)?;
        dict.set_item("max_seq_length", info.n_ctx)?;
        dict.set_item("kept_bytes", info.kept_bytes)?;
        Ok(dict)
    }

    /// Lets go of the model. Calls that are running end as they would have.
    fn close(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Vectors, a row each.
pub struct Rows {
    /// The rows, one after another.
    pub values: Vec<f32>,
    /// Values of a row.
    pub width: usize,
    /// Texts that were cut.
    pub cut: usize,
}

impl Embedder {
    /// Embeds texts without the GIL. `place` names a text of this index in messages.
    pub fn rows(
        &self,
        py: Python<'_>,
        texts: &[impl AsRef<str> + Sync],
        options: Options,
        progress: Option<&Bound<'_, PyAny>>,
        place: &dyn Fn(usize) -> String,
    ) -> PyResult<Rows> {
        let opened = self.opened(py)?;
        let embedder = library(py, &opened)?;
        let (options, cancel) = options.parse()?;
        let exception = |e: Error| error::exception(py, &e, place);
        let width = width(&options, embedder).map_err(exception)?;
        let work = |progress: &mut dyn FnMut(usize)| {
            let mut values = vec![0.0; texts.len().saturating_mul(width)];
            let counts = embedder.run_into(texts, &options, None, &mut values, progress)?;
            Ok(Rows { values, width, cut: counts.cut })
        };
        without_gil(py, texts::are_short(texts), &cancel, progress, work)?.map_err(exception)
    }

    /// The ids of each text, and how many were dropped.
    fn encodings(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, PyAny>,
        options: Options,
    ) -> PyResult<Vec<(Vec<u32>, usize)>> {
        let texts = texts::read(texts)?;
        let opened = self.opened(py)?;
        let embedder = library(py, &opened)?;
        let (options, cancel) = options.parse()?;
        let encode = |text: &PyBackedStr| {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let encoding = embedder.encode(text, &options)?;
            Ok((encoding.ids, encoding.dropped))
        };
        let work = |_: &mut dyn FnMut(usize)| texts.iter().map(encode).collect();
        let encodings: Result<_, Error> =
            without_gil(py, texts::are_short(&texts), &cancel, None, work)?;
        encodings.map_err(|e| error::exception(py, &e, &texts::place))
    }

    /// The model, open in this process.
    pub fn opened(&self, py: Python<'_>) -> PyResult<Arc<Opened>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &*opened {
            None => Err(PyValueError::new_err("the model is closed")),
            Some(found) if found.embedder().is_some() => Ok(found.clone()),
            Some(_) => {
                let again = self.how.open().map_err(|e| error::exception(py, &e, &texts::place))?;
                *opened = Some(again.clone());
                Ok(again)
            }
        }
    }
}

/// The embedder of this process.
pub fn library<'a>(py: Python<'_>, opened: &'a Opened) -> PyResult<&'a Library> {
    let message = "the process has forked since the model was opened; open it again";
    opened.embedder().ok_or_else(|| error::monomorph_error(py, message.to_owned()))
}

/// Values of a vector with these options.
pub fn width(options: &EmbedOptions, embedder: &Library) -> Result<usize, Error> {
    let largest = embedder.info().dimensions;
    match options.dimensions.unwrap_or(largest) {
        asked if asked == 0 || asked > largest => Err(Error::Dimensions { asked, largest }),
        asked => Ok(asked),
    }
}
