//! A forward pass of a size seen before allocates nothing.

#![allow(unsafe_code)] // An allocator is an unsafe trait.

mod support;

use monomorph::encoder::Workspace;
use monomorph::pool::Team;
use monomorph_gguf::TensorType;
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::atomic::AtomicBool;
use support::{Random, TinyModel, random_ids, tiny};

thread_local! {
    /// Allocations of this thread while it counts.
    static COUNT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are the ones that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts an allocation, and says where the first of them came from.
fn count(bytes: usize) {
    if let Some(n) = COUNT.get() {
        // What the backtrace itself allocates does not count.
        COUNT.set(None);
        if n == 0 {
            println!("{bytes} bytes allocated at\n{}", Backtrace::force_capture());
        }
        COUNT.set(Some(n + 1));
    }
}

/// The allocations of this thread while `f` runs.
fn allocations(f: impl FnOnce()) -> usize {
    COUNT.set(Some(0));
    f();
    COUNT.take().unwrap_or_default()
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8]))), 1);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_second_pass_allocates_nothing() {
    let mixed = tiny::Options {
        odd: &[("ffn_up", TensorType::F16), ("attn_q", TensorType::BF16)],
        ..Default::default()
    };
    for (name, options) in [("Q8_0", tiny::Options::default()), ("mixed", mixed)] {
        let model = TinyModel::new(&format!("allocations-{name}"), options);
        let mut random = Random(5);
        let texts: Vec<Vec<u32>> = [256, 40, 1]
            .iter()
            .map(|len| random_ids(&mut random, model.spec.n_vocab, *len))
            .collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let cancel = AtomicBool::new(false);
        let team = Team::solo();
        for (isa, encoder) in model.encoders(&model.spec) {
            let mut workspace = Workspace::default();
            let mut out = vec![0.0; texts.len() * model.spec.n_embd];
            let mut pass = |texts: &[&[u32]]| {
                let out = &mut out[..texts.len() * model.spec.n_embd];
                allocations(|| {
                    let result = encoder.forward(&team, texts, &mut workspace, &cancel, out);
                    result.expect("nobody cancels");
                })
            };
            let first = pass(&texts);
            assert!(first > 0, "the buffers have to come from somewhere");
            // Passes of the same size, and smaller ones.
            let later = [pass(&texts), pass(&texts[1..]), pass(&texts[..1])];
            assert_eq!(later, [0; 3], "{name} on {isa}");
            println!("{name} on {isa}: {first} allocations, then none");
        }
    }
}
