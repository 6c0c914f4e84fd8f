//! A forward pass of a size seen before allocates nothing.

use crate::support::{TinyModel, random_ids};
use monomorph_encoder::Workspace;
use monomorph_encoder::threads::Team;
use monomorph_gguf::TensorType;
use monomorph_testing::counting_allocator::watch_aloud;
use monomorph_testing::{Random, tiny};
use std::sync::atomic::AtomicBool;

/// The allocations of this thread while `f` runs.
fn allocations(f: impl FnOnce()) -> usize {
    watch_aloud(f).allocations
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
                    let result = encoder.forward(&team, None, texts, &mut workspace, &cancel, out);
                    result.expect("not cancelled");
                })
            };
            let first = pass(&texts);
            assert!(first > 0, "the first pass allocates the buffers");
            // Passes of the same size, and smaller ones.
            let later = [pass(&texts), pass(&texts[1..]), pass(&texts[..1])];
            assert_eq!(later, [0; 3], "{name} on {isa}");
            println!("{name} on {isa}: {first} allocations, then none");
        }
    }
}
