//! Texts of a causal model that begin alike have the same bits as if each were computed whole.

use crate::support::{TinyModel, bits, forward, random_ids};
use monomorph_encoder::threads::{Team, Threads};
use monomorph_encoder::{Forward, Scheduler};
use monomorph_gguf::TensorType;
use monomorph_spec::arch::{self, Arch};
use monomorph_spec::{Pooling, Spec};
use monomorph_testing::{Random, architecture};
use std::sync::atomic::AtomicBool;

/// Some layers slide, over 16 tokens.
fn causal() -> &'static Arch {
    arch::ALL.iter().find(|arch| arch.causal && arch.name == "gemma3").expect("Gemma 3")
}

/// A model in a file of its own: tests run at the same time.
fn model(test: &str, kind: TensorType) -> TinyModel {
    let sizes = architecture::sizes(64, 96, [4, 2, 32], 256);
    let file = architecture::writer(causal(), sizes, 6, kind, &mut Random(3));
    TinyModel::among(&format!("prefix-{test}-{kind}"), file.to_bytes(), &[*causal()])
}

/// Requests in turn: what each can know of its texts' beginning depends on those before it.
fn requests(n_vocab: usize) -> Vec<Vec<Vec<u32>>> {
    let mut random = Random(29);
    let mut ids = |len| random_ids(&mut random, n_vocab, len);
    let instructions = [ids(30), ids(70), ids(9)];
    let mut query =
        |instruction: usize, len: usize| [&instructions[instruction][..], &ids(len)].concat();
    let one = |text: Vec<u32>| vec![text];
    let mut requests = vec![
        one(query(0, 5)),
        one(query(0, 7)),
        one(query(0, 1)),
        vec![query(0, 3), query(0, 20), query(0, 40)],
        one(query(1, 4)),
        vec![query(1, 90), query(1, 3)],
        // Some share a part of what is known, or nothing.
        vec![query(1, 3), query(0, 3)],
        one(query(0, 6)),
        vec![query(2, 6), query(2, 2)],
    ];
    let shorter = [&query(1, 1)[..20], &[7; 9]].concat();
    requests.push(one(shorter));
    // The known tokens alone, and texts enough for bundles.
    requests.push(one(query(0, 1)[..30].to_vec()));
    requests.push((1..30).map(|len| query(0, len)).collect());
    let same = query(1, 5);
    requests.push(vec![same.clone(), same]);
    requests
}

fn run(
    scheduler: &Scheduler,
    threads: &Threads,
    encoder: &dyn Forward,
    texts: &[&[u32]],
) -> Vec<Vec<u32>> {
    const N_EMBD: usize = 64;
    let mut out = vec![f32::NAN; texts.len() * N_EMBD];
    let never = AtomicBool::new(false);
    scheduler.run(threads, encoder, texts, &never, &mut out).expect("not cancelled");
    bits(&out.chunks(N_EMBD).map(<[f32]>::to_vec).collect::<Vec<_>>())
}

#[test]
fn a_shared_beginning_changes_no_bit() {
    let kinds = [TensorType::F32, TensorType::Q8_0];
    for (kind, with_inputs) in kinds.map(|kind| [(kind, false), (kind, true)]).concat() {
        let model = match with_inputs {
            true => TinyModel::with_layer_inputs("prefix", kind, true),
            false => model("shared", kind),
        };
        let spec = Spec { pooling: Pooling::Last, ..model.spec.clone() };
        let requests = requests(spec.n_vocab);
        for (isa, mut encoder) in model.encoders(&spec) {
            assert!(encoder.takes_prefix());
            let want: Vec<Vec<Vec<u32>>> = requests
                .iter()
                .map(|texts| {
                    let texts = texts.iter().map(|ids| {
                        forward(&*encoder, &Team::solo(), spec.n_embd, &[ids]).remove(0)
                    });
                    bits(&texts.collect::<Vec<_>>())
                })
                .collect();
            for threads in 1..=3 {
                let threads = Threads::new(threads).expect("threads");
                let scheduler = Scheduler::default();
                for (number, (texts, want)) in requests.iter().zip(&want).enumerate() {
                    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
                    let got = run(&scheduler, &threads, &*encoder, &texts);
                    assert!(got == *want, "{kind} on {isa}, request {number}");
                }
                // Later rounds with panels kept, where rows are cut into shares.
                encoder.keep_panels(&threads).expect("memory");
            }
        }
    }
}

/// Where every token is pooled, or sees what follows it, all of them are computed.
#[test]
fn other_models_have_none() {
    let model = model("none", TensorType::F32);
    assert_eq!(model.spec.pooling, Pooling::Mean);
    let spec = Spec { pooling: Pooling::Last, causal: false, ..model.spec.clone() };
    for spec in [&model.spec, &spec] {
        assert!(model.encoders(spec).iter().all(|(_, encoder)| !encoder.takes_prefix()));
    }
}
