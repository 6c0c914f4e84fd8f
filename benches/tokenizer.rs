//! Megabytes a second of the built model's tokenizer, one text at a time, on one thread.
//!
//! `MODEL_GGUF=model.gguf cargo bench -p monomorph-benches --bench tokenizer -- TEXTS.jsonl` reads a string from each
//! line. `benches/tokenizer_speed.py` makes such a file, runs this, and runs the original tokenizer on it.

use monomorph::built;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn main() {
    let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        println!("SKIPPED: name a file of texts, a JSON string in each line");
        return;
    };
    let lines = std::fs::read_to_string(path).expect("a file of texts");
    let texts: Vec<String> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a string")).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let tokenizer = built::tokenizer();
    let mut tokens = 0;
    let mut pass = || {
        let begun = Instant::now();
        tokens = 0;
        for text in &texts {
            tokens += black_box(tokenizer.encode(black_box(text), usize::MAX)).ids.len();
        }
        begun.elapsed()
    };
    let best = (0..5).map(|_| pass()).min().unwrap_or(Duration::MAX);
    println!("{tokens} tokens, {:.1} MB/s", bytes as f64 / best.as_secs_f64() / 1e6);
}
