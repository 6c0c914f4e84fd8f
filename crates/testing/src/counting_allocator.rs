//! The system allocator, with counts of what each thread asks of it. Tests make [`Counting`] their global allocator.

#![allow(unsafe_code)] // `GlobalAlloc` is an unsafe trait.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;

/// The counting allocator.
pub struct Counting;

/// What a thread allocated while it was watched.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Number of allocations, including reallocations.
    pub allocations: usize,
    /// The most bytes that were live at one time, of those allocated while watched.
    pub peak_bytes: usize,
    /// The largest single allocation in bytes.
    pub largest: usize,
    live: usize,
}

thread_local! {
    static COUNTS: Cell<Option<Counts>> = const { Cell::new(None) };
    static SAYS_WHERE: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call is passed to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller's obligations are those that `System` has.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

fn count(freed: usize, taken: usize) {
    let Some(mut counts) = COUNTS.get() else { return };
    if taken > 0 {
        if counts.allocations == 0 && SAYS_WHERE.get() {
            // The backtrace's own allocations do not count.
            COUNTS.set(None);
            println!("{taken} bytes allocated at\n{}", Backtrace::force_capture());
        }
        counts.allocations += 1;
        counts.largest = counts.largest.max(taken);
    }
    // Memory that was allocated before the watch began does not count when it is freed.
    counts.live = (counts.live + taken).saturating_sub(freed);
    counts.peak_bytes = counts.peak_bytes.max(counts.live);
    COUNTS.set(Some(counts));
}

/// Counts what this thread allocates while `f` runs.
pub fn watch(f: impl FnOnce()) -> Counts {
    COUNTS.set(Some(Counts::default()));
    f();
    COUNTS.take().unwrap_or_default()
}

/// As [`watch`], and prints where the first allocation came from.
pub fn watch_aloud(f: impl FnOnce()) -> Counts {
    SAYS_WHERE.set(true);
    let counts = watch(f);
    SAYS_WHERE.set(false);
    counts
}
