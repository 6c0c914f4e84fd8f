//! `dedupe`: groups and pairs, from every format. That the pairs are all there are is tested beside the code.

use serde_json::{Value, json};

use super::support::*;

/// Rows 0, 2 and 5 are the same text, rows 1 and 4 another.
const TEXTS: [&str; 6] = [
    "Mars is the Red Planet.",
    "Stocks fell sharply.",
    "Mars is the Red Planet.",
    "日本語の文章です。",
    "Stocks fell sharply.",
    "Mars is the Red Planet.",
];

fn input(folder: &Folder) -> String {
    let lines = TEXTS.iter().enumerate();
    let lines: String = lines
        .map(|(i, text)| json!({"id": format!("t{i}"), "text": text}).to_string() + "\n")
        .collect();
    folder.write("in.jsonl", lines.as_bytes())
}

#[test]
fn equal_texts_are_duplicates_in_every_format() {
    let folder = Folder::new("dedupe");
    let input = input(&folder);
    let formats: &[&str] =
        if cfg!(feature = "parquet") { &["npy", "jsonl", "parquet"] } else { &["npy", "jsonl"] };
    for format in formats {
        let vectors = folder.argument(&format!("out.{format}"));
        run(&["batch", "--input", &input, "--output", &vectors]).good();
        let dedupe = |more: &[&str]| {
            run(&[&["dedupe", "--in", &vectors, "--threshold", "1"], more].concat())
        };
        let name = |row: usize| match *format {
            "npy" => row.to_string(),
            _ => format!("t{row}"),
        };
        let names = |rows: &[usize]| rows.iter().map(|row| name(*row) + "\n").collect::<String>();
        assert_eq!(dedupe(&["--show", "kept"]).text(), names(&[0, 1, 3]), "{format}");
        assert_eq!(dedupe(&["--show", "dropped"]).text(), names(&[2, 4, 5]), "{format}");
        let text = |row: usize| match *format {
            "parquet" => format!("\t{}", TEXTS[row]),
            _ => String::new(),
        };
        let line = |(first, row)| format!("{}\t{}{}\n", name(first), name(row), text(row));
        let groups = [(0, 0), (0, 2), (0, 5), (1, 1), (1, 4)].map(line).concat();
        let outcome = dedupe(&[]);
        assert!(outcome.stderr.contains("6 rows, 2 groups of duplicates: 3 rows to drop"));
        assert_eq!(outcome.text(), groups, "{format}");

        let mut pairs: Vec<Value> = dedupe(&["--show", "pairs", "--json"]).json_lines();
        pairs.sort_by_key(|pair| pair["rows"].to_string());
        let rows: Vec<&Value> = pairs.iter().map(|pair| &pair["rows"]).collect();
        assert_eq!(rows, [&json!([0, 2]), &json!([0, 5]), &json!([1, 4]), &json!([2, 5])]);
        assert!(pairs.iter().all(|pair| pair["cosine"] == 1.0), "{pairs:?}");
        let second = dedupe(&["--json"]).json_lines().remove(1);
        assert_eq!((&second["group"], &second["row"]), (&json!(0), &json!(2)));
    }
    // Other vectors of the same directions.
    let vectors = folder.argument("long.npy");
    run(&["batch", "--input", &input, "--output", &vectors, "--no-normalize"]).good();
    assert_eq!(run(&["dedupe", "--in", &vectors, "--show", "kept"]).text().lines().count(), 3);
}

#[test]
fn what_cannot_be_compared_is_one_line() {
    let folder = Folder::new("dedupe-bad");
    let vectors = folder.write("a.jsonl", b"{\"embedding\":[0.5,1.0]}\n{\"embedding\":[1.0]}\n");
    let outcome = run(&["dedupe", "--in", &vectors]);
    let message = outcome.failure(1);
    assert!(message.ends_with("row 1 (from 0): 1 value, but the first vector has 2"), "{message}");
    for (given, why) in [("0", "must be above 0"), ("1.5", "at most 1"), ("much", "not a number")] {
        let outcome = run(&["dedupe", "--in", &vectors, "--threshold", given]);
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    }
    let empty = folder.write("b.jsonl", b"");
    assert_eq!(run(&["dedupe", "--in", &empty, "--show", "kept"]).text(), "");
    let nulls = folder.write("c.jsonl", b"{\"embedding\":[0.5]}\n{\"embedding\":null}\n");
    let outcome = run(&["dedupe", "--in", &nulls]);
    assert!(outcome.stderr.contains("1 row without a vector"), "{}", outcome.stderr);
    // A row without a vector is nobody's duplicate.
    assert_eq!(run(&["dedupe", "--in", &nulls, "--show", "kept"]).text(), "0\n1\n");
    let outcome = run(&["dedupe", "--in", &folder.argument("")]);
    assert!(outcome.failure(2).contains("not a regular file"), "{}", outcome.stderr);
    let mut command = command(&["dedupe", "--in", &vectors]);
    command.env("MONOMORPH_ISA", "abacus");
    assert!(Outcome::of(command).failure(1).contains("abacus"));
}
