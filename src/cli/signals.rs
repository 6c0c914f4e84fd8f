//! The signals that end a run: Ctrl-C, and those with which a scheduler or a closed terminal ends a job.
//!
//! One that was ignored when the process began stays ignored: nohup and a script's `&` mean it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use super::failure::Failure;

/// Calls `end`, in a thread of its own, on each signal.
pub fn on_end(end: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    listen(end).map_err(|error| Failure::Failed(format!("cannot listen for signals: {error}")))
}

#[cfg(unix)]
fn listen(mut end: impl FnMut() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let ignored = ignored();
    let signals = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !ignored.contains(signal));
    let mut signals = signal_hook::iterator::Signals::new(signals)?;
    std::thread::spawn(move || signals.forever().for_each(|_| end()));
    Ok(())
}

#[cfg(not(unix))]
fn listen(end: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(end)
}

/// Files that go if a signal ends the process.
static FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn files() -> MutexGuard<'static, Vec<PathBuf>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens for a signal, to remove the files of [`remove_at_end`]: before the first of them is there.
pub fn listen_for_end() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let end = || {
            for file in files().iter() {
                // It has got its own name by now, or was removed.
                let _ = fs::remove_file(file);
            }
            Failure::Interrupted("interrupted; nothing was written".to_owned()).report();
            std::process::exit(Failure::INTERRUPTED.into());
        };
        // Without a listener the files stay, as they would after a crash.
        let _ = on_end(end);
    });
}

/// Removes this file if a signal ends the process.
pub fn remove_at_end(path: &Path) {
    files().push(path.to_owned());
}

/// The signals that were ignored from the start, where the system says so.
#[cfg(unix)]
fn ignored() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}
