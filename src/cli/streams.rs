//! Standard input and output, as far as the caller left them open. For a closed one (`>&-`), the standard library opens
//! /dev/null, where an answer would be lost, and texts be missed, without a word.

use std::io::{self, IsTerminal, Stdin, Write};

/// Standard input, if it is open.
pub fn stdin() -> io::Result<Stdin> {
    must_be_open(0)?;
    Ok(io::stdin())
}

pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

/// Standard output. Each write to a closed one fails.
pub struct Stdout(io::Stdout);

impl Stdout {
    /// Whether something can be written.
    pub fn must_be_open() -> io::Result<()> {
        must_be_open(1)
    }

    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Stdout::must_be_open()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn must_be_open(descriptor: usize) -> io::Result<()> {
    match start::was_closed(descriptor) {
        true => Err(io::Error::other("it is closed")),
        false => Ok(()),
    }
}

/// What was open when the process began, which only code that runs before that of the standard library can see.
#[cfg(target_os = "linux")]
mod start {
    #![allow(unsafe_code)]

    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    static WAS_CLOSED: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

    // SAFETY: the entry has the type that the loader calls: C's ABI, and it ignores argc, argv and envp. `look` needs
    // nothing that Rust's runtime prepares before `main`, of which the standard library promises nothing: it makes system
    // calls, writes to atomics, and does not panic. It ran with glibc, linked dynamically and statically.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        let is_there = |path: &str| fs::symlink_metadata(path).is_ok();
        // Without /proc, nothing can be told.
        if is_there("/proc/self/fd") {
            for (was_closed, path) in WAS_CLOSED.iter().zip(["/proc/self/fd/0", "/proc/self/fd/1"])
            {
                was_closed.store(!is_there(path), Ordering::Relaxed);
            }
        }
    }

    pub fn was_closed(descriptor: usize) -> bool {
        WAS_CLOSED[descriptor].load(Ordering::Relaxed)
    }
}

#[cfg(not(target_os = "linux"))]
mod start {
    pub fn was_closed(_: usize) -> bool {
        false
    }
}
