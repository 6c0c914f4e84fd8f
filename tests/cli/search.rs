//! `search`: the order of cosines, whatever file they come from. What the real model finds is in
//! tests/real/real_model.rs.

use std::fs;

use serde_json::{Value, json};

use super::support::*;

#[test]
fn best_come_first_from_every_format() {
    let folder = Folder::new("search");
    let texts = ["Mars is red.", "Venus is hot.", "Jupiter is large.", "Saturn has rings."];
    let lines: String = texts
        .iter()
        .map(|text| json!({"id": &text[..2], "text": text}).to_string() + "\n")
        .collect();
    let input = folder.write("in.jsonl", lines.as_bytes());
    let query = "Which planet is red?";
    let scores = run(&[&["similarity", "--json", "--query", query][..], &texts].concat());
    let scores = vector(&scores.json_lines()[0]["scores"]);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));

    let formats: &[&str] =
        if cfg!(feature = "parquet") { &["npy", "jsonl", "parquet"] } else { &["npy", "jsonl"] };
    for format in formats {
        let vectors = folder.argument(&format!("out.{format}"));
        let batch = ["batch", "--input", &input, "--output", &vectors, "--prompt", "document"];
        run(&batch).good();
        let search = |more: &[&str]| run(&[&["search", query, "--in", &vectors], more].concat());
        let outcome = search(&["--texts", &input]);
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
        let expected: String = order
            .iter()
            .map(|&i| format!("{:.4}\t{}\t{}\n", scores[i], &texts[i][..2], texts[i]))
            .collect();
        assert_eq!(outcome.text(), expected, "{format}");
        let answer: Value =
            serde_json::from_str(&search(&["--top", "2", "--json"]).text()).unwrap();
        let rows: Vec<&Value> =
            answer["results"].as_array().unwrap().iter().map(|hit| &hit["row"]).collect();
        assert_eq!(rows, [&json!(order[0]), &json!(order[1])]);
        let named = answer["results"][0].get("text").is_some();
        assert_eq!(named, *format == "parquet", "only Parquet keeps the texts");
    }
    if cfg!(feature = "parquet") {
        let vectors = folder.argument("plain.parquet");
        run(&["batch", "--input", &input, "--output", &vectors]).good();
        let outcome = run(&["search", query, "--in", &vectors]);
        assert!(outcome.stderr.contains("was made with the prompt none"), "{}", outcome.stderr);
    }
    let vectors = folder.argument("short.npy");
    let more = ["--dimensions", "16", "--precision", "float16", "--no-normalize"];
    run(&[&["batch", "--input", &input, "--output", &vectors][..], &more].concat()).good();
    assert_eq!(run(&["search", query, "--in", &vectors]).text().lines().count(), texts.len());
}

#[test]
fn files_that_are_no_vectors_are_refused() {
    let folder = Folder::new("search-bad");
    let input = folder.write("in.txt", b"one\ntwo\n");
    let binary = folder.argument("binary.npy");
    run(&["batch", "--input", &input, "--output", &binary, "--precision", "binary"]).good();
    let mut cut = run(&["embed", "--format", "npy", "one", "two"]).good();
    cut.truncate(cut.len() - 1);
    let wide = format!("{{\"embedding\":[{}1]}}\n", "0,".repeat(5000));
    for (name, bytes, code, message) in [
        ("a.npy", &b"no array"[..], 1, "not a NumPy array"),
        ("cut.npy", &cut, 1, "ends before its last value"),
        ("a.jsonl", b"{\"embedding\":[1,2]}\n{\"embedding\":[1]}\n", 1, "row 1: 1 values"),
        ("b.jsonl", b"{\"vector\":[1]}\n", 1, "line 1: column 14: missing field `embedding`"),
        ("wide.jsonl", wide.as_bytes(), 1, "they come from another model"),
        ("a.csv", b"id,v0\n", 2, "npy, parquet and jsonl"),
    ] {
        let path = folder.write(name, bytes);
        let outcome = run(&["search", "x", "--in", &path]);
        assert!(outcome.failure(code).contains(message), "{name}: {}", outcome.stderr);
    }
    let outcome = run(&["search", "x", "--in", &binary]);
    assert!(outcome.failure(1).contains("|i1, not float32 or float16"), "{}", outcome.stderr);
    let empty = folder.write("empty.jsonl", b"");
    assert_eq!(run(&["search", "x", "--in", &empty]).good(), b"");
    let good = folder.argument("good.npy");
    fs::write(&good, run(&["embed", "--format", "npy", "one", "two"]).good()).unwrap();
    let one = folder.write("one.txt", b"one\n");
    let outcome = run(&["search", "x", "--in", &good, "--texts", &one]);
    assert!(outcome.failure(1).contains("it has no row 1"), "{}", outcome.stderr);
}
