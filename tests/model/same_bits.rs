//! The built model gives a text the same bits whatever shares its request, on any number of threads, with any
//! instruction set, with constant and with run-time dimensions, with panels repacked on use or kept.

use monomorph::built::{IS_EMBEDDED, NAME, SPEC};
use monomorph::{EmbedOptions, Embedder, Kernels, OpenOptions};
use monomorph_quant::panel_kind;
use monomorph_testing::{Random, tiny};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Words, scripts, special tokens and bytes without a piece.
const WORDS: [&str; 20] = [
    "planet", "the", "Red", "question", "Menschen", "égaux", "мире", "人生", "🙂", "~", "\n\n",
    "  ", "<bos>", "def", "0.5", "\u{0}", "ü", "и", "\t", "reading",
];

fn texts() -> Vec<String> {
    let mut random = Random(2024);
    // Over a hundred words overflow the tiny model's window. The real model's scalar path is slow, so its texts are
    // short.
    let (count, longest) = if NAME == tiny::NAME { (40, 120) } else { (8, 6) };
    let mut texts: Vec<String> = (0..count - 2)
        .map(|_| {
            // Most texts are short and some are long.
            let len = random.below(longest).min(random.below(longest)) + 1;
            let words: Vec<&str> = (0..len).map(|_| WORDS[random.below(WORDS.len())]).collect();
            words.join(" ")
        })
        .collect();
    texts.push(String::new());
    texts.push("question ".repeat(longest));
    texts
}

fn open(options: OpenOptions) -> Embedder {
    options.open_built().expect("the model of the build")
}

/// Bits of the texts' vectors, from requests over random groups of them.
fn regrouped(embedder: &Embedder, texts: &[String], random: &mut Random) -> Vec<Vec<u32>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    random.shuffle(&mut order);
    let mut found = vec![Vec::new(); texts.len()];
    let mut rest = &order[..];
    while !rest.is_empty() {
        let (group, others) = rest.split_at(1 + random.below(rest.len()));
        rest = others;
        let request: Vec<&str> = group.iter().map(|i| texts[*i].as_str()).collect();
        let vectors = embedder.embed_batch(&request).expect("vectors");
        for (i, vector) in group.iter().zip(vectors) {
            found[*i] = vector.iter().map(|x| x.to_bits()).collect();
        }
    }
    found
}

/// The bits of each text embedded alone, which everything else is compared with.
fn alone(embedder: &Embedder, texts: &[String]) -> Vec<Vec<u32>> {
    let bits = |text: &String| {
        let vector = embedder.embed(text).expect("a vector");
        vector.iter().map(|x| x.to_bits()).collect()
    };
    texts.iter().map(bits).collect()
}

#[test]
fn every_path_gives_the_same_bits() {
    let texts = texts();
    let want = alone(&open(Embedder::options().threads(1)), &texts);
    let mut random = Random(99);
    for isa in monomorph_simd::available() {
        for kernels in [Kernels::Specialized, Kernels::Generic] {
            for keep in [false, true] {
                for threads in 1..=4 {
                    let options = Embedder::options().threads(threads).isa(isa);
                    let embedder = open(options.kernels(kernels).keep_panels(keep));
                    let info = embedder.info();
                    assert_eq!((info.isa, info.threads), (isa, threads));
                    let has_none =
                        IS_EMBEDDED || !panel_kind(SPEC.layers[0].block.up.weight.kind).is_ints();
                    assert_eq!(info.kept_bytes > 0, keep && !has_none);
                    let found = regrouped(&embedder, &texts, &mut random);
                    for (i, (found, want)) in found.iter().zip(&want).enumerate() {
                        assert!(
                            found == want,
                            "text {i} on {isa}, {kernels:?}, {threads} threads, panels kept: {keep}"
                        );
                    }
                }
            }
        }
        println!("{isa}: {} texts, 1 to 4 threads, constant and run-time dimensions", texts.len());
    }
    println!("instruction sets tested: {}", monomorph_simd::available().join(", "));
}

/// One embedder, four callers. MONOMORPH_STRESS_SECONDS makes it a long test.
#[test]
fn callers_at_the_same_time_do_not_disturb_each_other() {
    let seconds = std::env::var("MONOMORPH_STRESS_SECONDS")
        .map_or(1.0, |given| given.parse().expect("MONOMORPH_STRESS_SECONDS is a number"));
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let texts = texts();
    let embedder = open(Embedder::options().threads(2));
    let want = alone(&embedder, &texts);
    let rounds = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (embedder, texts, want, rounds) = (&embedder, &texts, &want, &rounds);
            scope.spawn(move || {
                let mut random = Random(seed);
                loop {
                    assert!(regrouped(embedder, texts, &mut random) == *want);
                    rounds.fetch_add(1, Ordering::Relaxed);
                    if Instant::now() >= end {
                        return;
                    }
                }
            });
        }
    });
    println!("{} rounds of {} texts from four callers", rounds.into_inner(), texts.len());
}

/// Checks the texts themselves: their vectors differ, and some of them are cut at the window.
#[test]
fn the_texts_test_something() {
    let texts = texts();
    let embedder = open(Embedder::options());
    let vectors = embedder.run(&texts, &EmbedOptions::default()).expect("vectors");
    let cut = vectors.iter().filter(|found| found.dropped > 0).count();
    assert!(NAME != tiny::NAME || (1..10).contains(&cut), "{cut} texts are cut");
    for (i, found) in vectors.iter().enumerate() {
        assert!(vectors[..i].iter().all(|other| other.vector != found.vector), "text {i}");
    }
}
