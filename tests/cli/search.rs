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
        (
            "b.jsonl",
            b"{\"vector\":[1]}\n",
            1,
            "line 1: neither a vector `embedding` nor a text `text`;",
        ),
        (
            "d.jsonl",
            b"{\"embedding\":[1.5]}\n{\"text\":\"a\"}\n",
            1,
            "line 2: no vector `embedding`; --in takes a file",
        ),
        (
            "c.jsonl",
            b"{\"embedding\":[1,-2]}\n",
            1,
            "c.jsonl, line 1: its values are int8: search reads them with",
        ),
        ("wide.jsonl", wide.as_bytes(), 1, "they come from another model"),
        ("a.csv", b"id,v0\n", 1, "it has id, v0; choose the column of the texts with --column"),
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

/// A table of texts gives the scores of its vectors, and ids and texts.
#[test]
fn texts_are_embedded_for_the_search() {
    let folder = Folder::new("search-texts");
    let texts = ["Mars is red.", "Venus is hot.", "", "Saturn has rings."];
    let query = "Which planet is red?";
    let scores = run(&[&["similarity", "--json", "--query", query][..], &texts].concat());
    let scores = vector(&scores.json_lines()[0]["scores"]);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let answer = |ids: &[&str]| -> String {
        let line = |&i: &usize| format!("{:.4}\t{}\t{}", scores[i], ids[i], texts[i]);
        order.iter().map(|i| line(i).trim_end().to_owned() + "\n").collect()
    };

    let objects: Vec<Value> =
        (0..4).map(|i| json!({"id": format!("p{i}"), "body": texts[i]})).collect();
    let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
    let json = json!(objects).to_string();
    let csv = "id,body\np0,Mars is red.\np1,Venus is hot.\np2,\np3,Saturn has rings.\n";
    for (name, bytes) in [("a.jsonl", &lines[..]), ("a.json", &json), ("a.csv", csv)] {
        let table = folder.write(name, bytes.as_bytes());
        let outcome = run(&["search", query, "--in", &table, "--column", "body"]);
        assert!(!outcome.stderr.contains("embeds all texts"), "{}", outcome.stderr);
        assert_eq!(outcome.text(), answer(&["p0", "p1", "p2", "p3"]), "{name}");
        let outcome = run(&["search", query, "--in", &table]);
        assert!(outcome.failure(1).contains("text"), "{}", outcome.stderr);
    }
    let plain = texts.map(|text| format!("{text}\n")).concat();
    let by_row = answer(&["0", "1", "2", "3"]);
    assert_eq!(
        run(&["search", query, "--in", &folder.write("a.txt", plain.as_bytes())]).text(),
        by_row
    );
    assert_eq!(run_with_input(&["search", query, "--in", "-"], plain.as_bytes()).text(), by_row);
    if cfg!(feature = "parquet") {
        let table = case("dictionary.parquet");
        let outcome = run(&["search", query, "--in", &table, "--embedding-column", "vectors"]);
        assert!(outcome.failure(1).contains("no column \"vectors\""), "{}", outcome.stderr);
        assert!(run(&["search", query, "--in", &table]).text().lines().count() > 1);
    }

    let table = folder.argument("a.txt");
    let outcome = run(&["search", query, "--in", &table, "--texts", &table]);
    assert!(outcome.failure(2).contains("a.txt has no vectors"), "{}", outcome.stderr);
    let many = folder.write("many.txt", "a\n".repeat(1000).as_bytes());
    let outcome = run(&["search", query, "--in", &many, "--top", "1", "--dimensions", "16"]);
    assert_eq!(outcome.stderr.matches("note: every search embeds all texts of ").count(), 1);
    let long = folder.write("long.txt", format!("a\n{}\n", long_text()).as_bytes());
    let outcome = run(&["search", query, "--in", &long]);
    assert!(outcome.stderr.contains("long.txt, line 2: cut to "), "{}", outcome.stderr);
    let outcome = run(&["search", query, "--in", &long, "--truncate", "none"]);
    assert!(outcome.failure(1).contains("long.txt, line 2: "), "{}", outcome.stderr);
}

/// Bytes and bits become floats again, by what the file says or the options do; compared as if they were floats, they
/// would give an order that looks right.
#[test]
fn integers_are_read_as_what_they_stand_for() {
    let folder = Folder::new("search-integers");
    let texts: Vec<String> = (0..40).map(|i| format!("text number {i}\n")).collect();
    let input = folder.write("in.txt", texts.concat().as_bytes());
    let (ranges, floats) = (folder.argument("ranges.npy"), folder.argument("floats.npy"));
    run(&["ranges", "--input", &input, "--output", &ranges]).good();
    run(&["batch", "--input", &input, "--output", &floats]).good();
    let expected = found(&floats, &[]);
    let formats: &[&str] =
        if cfg!(feature = "parquet") { &["npy", "jsonl", "parquet"] } else { &["npy", "jsonl"] };
    for (format, precision) in formats.iter().flat_map(|format| {
        ["int8", "uint8", "binary", "ubinary"].map(|precision| (*format, precision))
    }) {
        let what = format!("{precision}.{format}");
        let vectors = folder.argument(&what);
        let batch = ["batch", "--input", &input, "--output", &vectors, "--precision", precision];
        let is_bits = precision.ends_with("binary");
        let (needs, order): (&[&str], &[&str]) = match is_bits {
            false => (&["--ranges", &ranges], &[]),
            true => (&[], &["--bit-order", "lsb"]),
        };
        run(&[&batch[..], needs, order].concat()).good();
        let told: Vec<&str> = [&["--precision", precision][..], needs, order].concat();
        let told = if format == "parquet" { &[][..] } else { &told };
        if format != "parquet" {
            let outcome = run(&["search", "x", "--in", &vectors]);
            let message = "search reads them with --precision";
            assert!(outcome.failure(1).contains(message), "{}", outcome.stderr);
        }
        let hits = found(&vectors, told);
        let scores = |hits: &[(u64, Value)]| -> Vec<(u64, f64)> {
            hits.iter().map(|(row, hit)| (*row, hit["score"].as_f64().unwrap())).collect()
        };
        if !is_bits {
            for (row, score) in scores(&hits) {
                let exact = scores(&expected).into_iter().find(|(other, _)| *other == row);
                assert!(exact.is_none_or(|(_, exact)| (exact - score).abs() < 0.02), "{what}");
            }
        }
        // With the floats, the best are those of the floats, as all forty are compared again.
        let again = [told, &["--rescore", &floats, "--top", "10"]].concat();
        assert_eq!(scores(&found(&vectors, &again)), scores(&expected), "{what}");
    }
    let less = folder.write("less.txt", texts[1..].concat().as_bytes());
    let other = folder.argument("other.npy");
    run(&["batch", "--input", &less, "--output", &other]).good();
    let outcome = run(&["search", "a", "--in", &floats, "--rescore", &other]);
    assert!(outcome.failure(1).contains("other.npy has 39 rows, but "), "{}", outcome.stderr);
    let outcome =
        run(&["search", "a", "--in", &floats, "--precision", "int8", "--ranges", &ranges]);
    assert!(outcome.failure(1).contains("its values are float32, which are read without"));
}

#[test]
fn several_queries_are_asked_at_once() {
    let folder = Folder::new("search-queries");
    let input = folder.write("in.txt", b"one\ntwo\nthree, \"quoted\"\n");
    let queries = folder.write("q.jsonl", b"{\"id\":\"a\",\"text\":\"one\"}\n{\"text\":\"two\"}\n");
    let vectors = folder.argument("vectors.npy");
    run(&["batch", "--input", &input, "--output", &vectors]).good();
    let fixed = ["search", "--queries", &queries, "--in", &vectors, "--texts", &input];
    let one = |query| run(&["search", query, "--in", &vectors, "--texts", &input]).text();
    let named = |query, name: &str| -> String {
        one(query).lines().map(|line| format!("{name}\t{line}\n")).collect()
    };
    assert_eq!(run(&fixed).text(), named("one", "a") + &named("two", "1"));
    let objects = run(&[&fixed[..], &["--json"]].concat()).json_lines();
    assert_eq!(
        (objects.len(), &objects[0]["id"], &objects[1]["query"]),
        (2, &json!("a"), &json!("two"))
    );
    let csv = run(&[&fixed[..], &["--format", "csv"]].concat()).text();
    assert!(csv.starts_with("query,score,row,id,text\none,"), "{csv}");
    assert!(csv.contains(",\"three, \"\"quoted\"\"\"\n"), "{csv}");
    assert_eq!(csv.lines().count(), 7);
    let none = folder.write("none.txt", b"");
    let outcome = run(&["search", "--queries", &none, "--in", &vectors]);
    assert!(outcome.failure(1).ends_with("none.txt has no queries"));
}

/// A search over vectors of four dimensions, and what it says: rows in the order of their scores.
fn found(vectors: &str, more: &[&str]) -> Vec<(u64, Value)> {
    let outcome = run(&[&["search", "a", "--in", vectors, "--json"], more].concat());
    let answer: Value = serde_json::from_str(&outcome.text()).unwrap();
    let hits = answer["results"].as_array().unwrap().clone();
    hits.into_iter().map(|hit| (hit["row"].as_u64().unwrap(), hit)).collect()
}

#[test]
fn vectors_of_other_programs_are_read() {
    let folder = Folder::new("search-others");
    let mut single = b"\x93NUMPY\x01\0v\0".to_vec();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    single.extend(format!("{header:<117}\n").as_bytes());
    let double = fs::read(case("vectors_float64.npy")).unwrap();
    let values: Vec<f32> =
        double[128..].as_chunks().0.iter().map(|value| f64::from_le_bytes(*value) as f32).collect();
    assert_eq!(values.len(), 12);
    single.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let single = folder.write("single.npy", &single);
    let expected: Vec<(u64, f64)> = found(&single, &[])
        .iter()
        .map(|(row, hit)| (*row, hit["score"].as_f64().unwrap()))
        .collect();
    let mut files = vec![case("vectors_float64.npy"), case("vectors_fortran.npy")];
    if cfg!(feature = "parquet") {
        files.push(case("vectors_float64.parquet"));
    }
    // Wider than one block of columns.
    for file in files {
        let scores = found(&file, &[]).into_iter();
        let scores: Vec<(u64, f64)> =
            scores.map(|(row, hit)| (row, hit["score"].as_f64().unwrap())).collect();
        assert_eq!(scores, expected, "{file}");
    }
}

/// A left join makes such rows, and NaN is no score.
#[test]
fn rows_without_a_vector_are_passed_over() {
    let folder = Folder::new("search-null");
    let infinite = folder.write(
        "in.jsonl",
        b"{\"embedding\":null}\n{\"embedding\":[1.0,2.0,0.5,0.5]}\n{\"embedding\":[1.0,1e39,0.5,0.5]}\n",
    );
    let mut cases = vec![(case("vectors_nan.npy"), &[0, 2][..], 1), (infinite, &[1], 2)];
    if cfg!(feature = "parquet") {
        cases.extend([
            (case("vectors_null.parquet"), &[0, 2][..], 1),
            (case("vectors_null_first.parquet"), &[1, 2], 1),
            (case("vectors_null_inside.parquet"), &[1], 1),
        ]);
    }
    for (file, rows, passed_over) in cases {
        let mut found: Vec<u64> = found(&file, &[]).into_iter().map(|(row, _)| row).collect();
        found.sort();
        assert_eq!(found, rows, "{file}");
        let outcome = run(&["search", "a", "--in", &file]);
        let rows = if passed_over == 1 { "row" } else { "rows" };
        assert!(outcome.stderr.contains(&format!(": {passed_over} {rows} without a vector, or")));
    }
}

#[cfg(feature = "parquet")]
#[test]
fn columns_of_a_file_are_found() {
    let folder = Folder::new("search-columns");
    let hits = found(&case("vectors_dictionary_text.parquet"), &[]);
    let mut texts: Vec<&Value> = hits.iter().map(|(_, hit)| &hit["text"]).collect();
    texts.sort_by_key(|text| text.as_str());
    assert_eq!(texts, ["a", "b", "c"]);
    let scalar = case("vectors_scalar.parquet");
    let outcome = run(&["search", "a", "--in", &scalar]);
    assert!(outcome.failure(1).contains("is float32, not lists of numbers; choose the column"));
    // The file says which columns its vectors were made of.
    let input = folder.write("in.csv", b"sku,description,id\nx1,red,7\nx2,blue,8\n");
    let output = folder.argument("out.parquet");
    let batch = ["batch", "--input", &input, "--output", &output, "--column", "description"];
    run(&[&batch[..], &["--id-column", "sku"]].concat()).good();
    let hits = found(&output, &[]);
    let by_row = |row: u64| hits.iter().find(|(found, _)| *found == row).unwrap().1.clone();
    assert_eq!((&by_row(0)["id"], &by_row(0)["text"]), (&json!("x1"), &json!("red")));
    assert_eq!(found(&output, &["--column", "sku"])[0].1["text"].as_str().unwrap().len(), 2);
    let outcome = run(&["search", "a", "--in", &output, "--column", "skus"]);
    assert!(outcome.failure(1).contains("no column \"skus\"; it has sku, description"));
    let texts = ["--texts", &input, "--column", "sku"];
    assert_eq!(found(&output, &texts)[0].1["text"].as_str().unwrap().len(), 2);
}
