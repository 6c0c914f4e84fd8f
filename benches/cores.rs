//! How the built model would scale to more cores than there are, with simulated threads (`threads/simulation.rs` of the
//! encoder): what the shares of the work allow, without what threads cost each other.
//!
//! `MODEL_GGUF=model.gguf cargo bench -p monomorph-benches --bench cores [-- CASE]` measures all cases, or one.

use monomorph::built::{self, Built, IS_EMBEDDED, SOURCE, SPEC};
use monomorph_encoder::threads::{Simulated, Threads};
use monomorph_encoder::weights::Weights;
use monomorph_encoder::{Forward, Scheduler, select};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const THREADS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Passes are timed for so long, but three at least: what another program takes from a part looks like a busy thread.
const TIME: Duration = Duration::from_secs(1);
const PASSES: usize = 3;

fn main() {
    // cargo test runs benchmarks, too, and then without --bench.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    if IS_EMBEDDED {
        return println!("SKIPPED: name a model with MODEL_GGUF");
    }
    let weights =
        Weights::map(&File::open(SOURCE).expect("the model of the build")).expect("its weights");
    let isa = monomorph_simd::preferred();
    let mut encoder =
        select(&isa, Built, weights, built::rope_tables()).expect("an instruction set");
    encoder.keep_panels(&Threads::new(2).expect("threads")).expect("memory");

    println!(
        "{isa}; least of {PASSES} passes or more; balance is the time of all parts over that of all threads\n"
    );
    println!("| texts | threads | ms | tokens/s | balance | jobs |\n|---|---|---|---|---|---|");
    let asked = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let is_asked = |name: &str| asked.as_deref().is_none_or(|asked| asked == name);
    for (name, texts) in cases().into_iter().filter(|(name, _)| is_asked(name)) {
        for threads in THREADS {
            let Pass { time, work, jobs } = pass(encoder.as_ref(), threads, &texts);
            let tokens: usize = texts.iter().map(Vec::len).sum();
            let seconds = time.as_secs_f64();
            println!(
                "| {name} | {threads} | {:.2} | {:.0} | {:.2} | {jobs} |",
                seconds * 1e3,
                tokens as f64 / seconds,
                work.as_secs_f64() / seconds / threads as f64
            );
        }
    }
}

/// Single texts of several lengths, and the batches of the other measurements; their tokens.
fn cases() -> Vec<(String, Vec<Vec<u32>>)> {
    let tokenizer = built::tokenizer();
    let ids = |text: &str| tokenizer.encode(text, SPEC.n_ctx).ids;
    let of_length =
        |tokens: usize| vec![ids(&"planet ".repeat(tokens)).into_iter().take(tokens).collect()];
    let mut cases: Vec<(String, Vec<Vec<u32>>)> = [12, 56, 222, 443, 1663]
        .into_iter()
        .filter(|tokens| *tokens <= SPEC.n_ctx)
        .map(|tokens| (format!("one of {tokens}"), of_length(tokens)))
        .collect();
    for name in ["batch_short", "batch_long", "batch_mixed"] {
        let path = format!("{}/cases/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
        let lines = std::fs::read_to_string(path).expect("a case");
        let texts = lines.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            ids(line["text"].as_str().expect("a text"))
        });
        cases.push((name.to_owned(), texts.collect()));
    }
    cases
}

/// The fastest pass over some texts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pass {
    time: Duration,
    /// What one thread took for the parts of all.
    work: Duration,
    jobs: u64,
}

fn pass(encoder: &dyn Forward, threads: usize, texts: &[Vec<u32>]) -> Pass {
    let simulated = Arc::new(Simulated::default());
    let threads = Threads::simulated(threads, simulated.clone());
    let scheduler = Scheduler::default();
    let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
    let (mut out, never) = (vec![0.0; texts.len() * SPEC.n_out], AtomicBool::new(false));
    let mut pass = || {
        let (jobs, saved, begun) = (simulated.jobs(), simulated.saved(), Instant::now());
        scheduler.run(&threads, encoder, &texts, &never, &mut out).expect("nobody cancels");
        let work = begun.elapsed();
        Pass { time: work - (simulated.saved() - saved), work, jobs: simulated.jobs() - jobs }
    };
    let begun = Instant::now();
    let mut passes: Vec<Pass> = (0..PASSES).map(|_| pass()).collect();
    while begun.elapsed() < TIME {
        passes.push(pass());
    }
    passes.into_iter().min().expect("three passes")
}
