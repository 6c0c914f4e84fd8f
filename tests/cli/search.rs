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
        for (prompt, how) in [
            (&[][..], "was made without a prompt; "),
            (&["--prompt", "clustering"], "was made with the prompt clustering; "),
        ] {
            let batch = ["batch", "--input", &input, "--output", &vectors];
            run(&[&batch[..], prompt].concat()).good();
            let outcome = run(&["search", query, "--in", &vectors]);
            assert!(outcome.stderr.contains(how), "{}", outcome.stderr);
        }
    }
    let vectors = folder.argument("short.npy");
    let more = ["--dimensions", "16", "--precision", "float16", "--no-normalize"];
    run(&[&["batch", "--input", &input, "--output", &vectors][..], &more].concat()).good();
    assert_eq!(run(&["search", query, "--in", &vectors]).text().lines().count(), texts.len());
    let outcome = run(&["search", query, "--in", &vectors, "--dimensions", "8"]);
    assert_eq!(
        outcome.failure(2),
        format!(
            "--dimensions 8: the vectors of {vectors} have 16; leave the option out, or make them again with \
             --dimensions 8"
        )
    );
}

#[test]
fn files_that_are_no_vectors_are_refused() {
    let folder = Folder::new("search-bad");
    let mut cut = run(&["embed", "--format", "npy", "one", "two"]).good();
    cut.truncate(cut.len() - 1);
    let wide = format!("{{\"embedding\":[{}1]}}\n", "0.5,".repeat(5000));
    for (name, bytes, code, message) in [
        ("a.npy", &b"no array"[..], 1, "not a NumPy array"),
        ("cut.npy", &cut, 1, "ends before its last value"),
        (
            "a.jsonl",
            b"{\"embedding\":[1.5,2]}\n{\"embedding\":[1.5]}\n",
            1,
            "row 1 (from 0): 1 value, but",
        ),
        ("b.jsonl", b"{\"vector\":[1]}\n", 1, "line 1: no vector `embedding`; --in takes a file"),
        (
            "c.jsonl",
            b"{\"embedding\":[1,-2]}\n",
            1,
            "c.jsonl, line 1: its values are integers; search",
        ),
        ("wide.jsonl", wide.as_bytes(), 1, "they come from another model"),
        ("a.csv", b"id,v0\n", 2, "npy, parquet and jsonl"),
    ] {
        let path = folder.write(name, bytes);
        let outcome = run(&["search", "x", "--in", &path]);
        assert!(outcome.failure(code).contains(message), "{name}: {}", outcome.stderr);
    }
    let empty = folder.write("empty.jsonl", b"");
    assert_eq!(run(&["search", "x", "--in", &empty]).good(), b"");
    let good = folder.argument("good.npy");
    fs::write(&good, run(&["embed", "--format", "npy", "one", "two"]).good()).unwrap();
    let one = folder.write("one.txt", b"one\n");
    let outcome = run(&["search", "x", "--in", &good, "--texts", &one]);
    assert!(outcome.failure(1).contains("one.txt has 1 row, but "), "{}", outcome.stderr);
    // A part of the table, or a table with more rows than vectors, names wrong texts without an error.
    let four = folder.write("four.csv", b"text\none\ntwo\nthree\nfour\n");
    let part = folder.argument("part.npy");
    run(&["batch", "--input", &four, "--output", &part, "--shard", "1/2"]).good();
    let outcome = run(&["search", "four", "--in", &part, "--texts", &four]);
    assert!(outcome.failure(1).contains("four.csv has 4 rows, but "), "{}", outcome.stderr);
}

/// Bytes and bits compared as if they were floats would give an order that looks right.
#[test]
fn integers_are_refused_in_every_format() {
    let folder = Folder::new("search-integers");
    let input = folder.write("in.txt", b"one\ntwo\n");
    let ranges = folder.argument("ranges.npy");
    run(&["ranges", "--input", &input, "--output", &ranges]).good();
    let formats: &[&str] =
        if cfg!(feature = "parquet") { &["npy", "jsonl", "parquet"] } else { &["npy", "jsonl"] };
    for (format, precision) in formats.iter().flat_map(|format| {
        ["int8", "uint8", "binary", "ubinary"].map(|precision| (*format, precision))
    }) {
        let vectors = folder.argument(&format!("{precision}.{format}"));
        let batch = ["batch", "--input", &input, "--output", &vectors, "--precision", precision];
        let needs: &[&str] = if precision.ends_with("int8") { &["--ranges", &ranges] } else { &[] };
        run(&[&batch[..], needs].concat()).good();
        let kind = match (format, precision) {
            ("jsonl", _) => "integers",
            (_, "int8" | "binary") => "int8",
            _ => "uint8",
        };
        let outcome = run(&["search", "x", "--in", &vectors]);
        let message = format!("are {kind}; search reads float32 and float16");
        assert!(outcome.failure(1).ends_with(&message), "{}", outcome.stderr);
    }
}
