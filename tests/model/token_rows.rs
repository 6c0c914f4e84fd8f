//! The rows of tokens are what vectors are made of, and have the same bits on every path.

use crate::support::*;
use monomorph::built::SPEC;
use monomorph::{EmbedOptions, Embedder, Error, Kernels};
use monomorph_encoder::Workspace;
use monomorph_encoder::threads::{Team, Threads};
use monomorph_gguf::TensorType;
use monomorph_spec::{Pooling, Spec};
use monomorph_testing::Random;
use std::sync::atomic::AtomicBool;

#[test]
fn rows_make_the_vector() {
    let model = TinyModel::with_layer_inputs("token-rows", TensorType::F32, false);
    let d = model.spec.n_embd;
    let mut random = Random(17);
    for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Last] {
        let spec = Spec { pooling, dense: [].as_slice().into(), ..model.spec.clone() };
        for (isa, encoder) in model.encoders(&spec) {
            for len in [1, 2, 7, 40] {
                let ids = random_ids(&mut random, spec.n_vocab, len);
                let vector = forward(encoder.as_ref(), &Team::solo(), d, &[&ids]).remove(0);
                let mut rows = vec![f32::NAN; len * d];
                let (never, mut workspace) = (AtomicBool::new(false), Workspace::default());
                let threads = Threads::new(2).expect("threads");
                threads
                    .enter(|team| encoder.token_rows(team, &ids, &mut workspace, &never, &mut rows))
                    .expect("not cancelled");
                let row = |i: usize| rows[i * d..][..d].to_vec();
                let made = match pooling {
                    Pooling::Cls => row(0),
                    Pooling::Last => row(len - 1),
                    _ => {
                        let sum = (0..len).map(row).fold(vec![0.0; d], |sum, row| {
                            sum.iter().zip(row).map(|(sum, x)| sum + x).collect()
                        });
                        let share = 1.0 / len as f32;
                        sum.iter().map(|sum| sum * share).collect()
                    }
                };
                assert_eq!(bits(&[made]), bits(&[vector]), "{isa}, {pooling:?}, {len} tokens");
            }
        }
    }
}

#[test]
fn rows_have_the_same_bits_on_every_path() {
    let mut first: Option<Vec<f32>> = None;
    for isa in monomorph_simd::available() {
        for (kernels, threads) in [(Kernels::Specialized, 1), (Kernels::Generic, 2)] {
            let options = Embedder::options().isa(isa).kernels(kernels).threads(threads);
            let embedder = options.open_built().expect("the model of the build");
            let ids = embedder.encode("Mars is red.", &EmbedOptions::default()).expect("ids").ids;
            let mut rows = vec![f32::NAN; ids.len() * SPEC.n_embd];
            embedder.token_rows(&ids, None, &mut rows).expect("rows");
            assert!(rows.iter().all(|x| x.is_finite()));
            let want = first.get_or_insert_with(|| rows.clone());
            assert_eq!(bits(&[rows]), bits(std::slice::from_ref(want)), "{isa}, {kernels:?}");
        }
    }
}

#[test]
fn what_is_not_asked_for_well_is_refused() {
    let embedder = Embedder::open_built().expect("the model of the build");
    let d = SPEC.n_embd;
    assert!(matches!(embedder.token_rows(&[], None, &mut []), Err(Error::Ids { .. })));
    let rows = &mut vec![0.0; d + 1];
    let expected = d;
    let refused = embedder.token_rows(&[1], None, rows);
    assert!(matches!(refused, Err(Error::Rows { expected: e, .. }) if e == expected));
    let cancel = AtomicBool::new(true);
    let refused = embedder.token_rows(&[1], Some(&cancel), &mut rows[..d]);
    assert!(matches!(refused, Err(Error::Cancelled)));
}
