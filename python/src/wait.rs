//! Work without the GIL that Ctrl-C can end.
//!
//! Python runs the handlers of signals only on the main thread, and only while that thread runs Python. So long work goes
//! to a thread of its own, and the caller looks for signals meanwhile.

use crate::error;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How often the caller looks for signals.
const PERIOD: Duration = Duration::from_millis(20);

/// Runs work without the GIL. What it tells its argument is passed on to `progress`. An exception of a signal's handler
/// or of `progress` sets `cancel`, and comes once the work has ended.
///
/// Short work runs on the caller's thread: a thread would cost more than it.
///
/// Signals are looked for once more at the end: with one pending, rust-numpy would panic where it asks Python for NumPy's
/// functions.
pub fn without_gil<T: Send>(
    py: Python<'_>,
    is_short: bool,
    cancel: &AtomicBool,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&mut dyn FnMut(usize)) -> T + Send,
) -> PyResult<T> {
    if is_short {
        let result = py.detach(|| catch_unwind(AssertUnwindSafe(|| work(&mut |_| ()))));
        py.check_signals()?;
        return result.map_err(|_| panicked(py));
    }
    let (sender, mut receiver) = mpsc::channel();
    thread::scope(|scope| {
        // The sender goes when the work is done.
        let run = move || work(&mut |done| _ = sender.send(done));
        let worker = thread::Builder::new().spawn_scoped(scope, run)?;
        let failure = loop {
            let message;
            (receiver, message) = py.detach(move || {
                let message = receiver.recv_timeout(PERIOD);
                (receiver, message)
            });
            let told = match (message, progress) {
                (Err(RecvTimeoutError::Disconnected), _) => break None,
                (Ok(done), Some(progress)) => progress.call1((done,)).map(drop),
                _ => Ok(()),
            };
            if let Err(failure) = told.and_then(|()| py.check_signals()) {
                cancel.store(true, Ordering::Relaxed);
                break Some(failure);
            }
        };
        let result = py.detach(|| worker.join());
        if let Some(failure) = failure {
            return Err(failure);
        }
        py.check_signals()?;
        result.map_err(|_| panicked(py))
    })
}

fn panicked(py: Python<'_>) -> PyErr {
    error::monomorph_error(py, "a thread panicked; this is a bug in monomorph".to_owned())
}
