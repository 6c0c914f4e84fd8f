//! JSON as other programs write it: what nobody asked for ends no run.

use serde_json::{Value, json};

use super::support::*;

fn batch(input: &str, more: &[&str]) -> Outcome {
    run(&[&["batch", "--input", input, "--output", "-", "--format", "jsonl"], more].concat())
}

fn embedded(texts: &[&str]) -> Vec<Vec<f32>> {
    vectors(&run(&[&["embed"], texts].concat()).json_lines())
}

#[test]
fn what_is_not_wanted_is_not_judged() {
    let folder = Folder::new("json-beside");
    let python = folder.write(
        "python.jsonl",
        b"\xEF\xBB\xBF{\"text\": \"one\", \"a\": [NaN, {\"b\": Infinity}], \"c\": \"\\udc00\"}\n",
    );
    let python = (python, &["one"][..]);
    let cases = [
        ("nan_beside.jsonl", &["one", "two"][..]),
        ("lone_surrogate_beside.jsonl", &["one"]),
        ("number_out_of_range_beside.jsonl", &["one"]),
        ("key_twice_beside.jsonl", &["one"]),
        ("deep_beside.jsonl", &["one"]),
    ];
    let cases = cases.into_iter().map(|(name, texts)| (case(name), texts));
    for (input, texts) in cases.chain([python]) {
        let expected = embedded(texts);
        assert_eq!(vectors(&batch(&input, &[]).json_lines()), expected, "{input}");
        let lines = run(&["embed", "--input", &input]).json_lines();
        assert_eq!(vectors(&lines), expected, "{input}");
    }
    // A text itself is judged.
    let half = case("lone_surrogate_in_text.jsonl");
    for command in [&["batch", "--output", "-", "--format", "csv"][..], &["embed"], &["tokenize"]] {
        let outcome = run(&[command, &["--input", &half]].concat());
        assert!(outcome.failure(1).contains("half of a surrogate pair"), "{}", outcome.stderr);
    }
}

#[test]
fn ids_that_nobody_asked_for_end_no_run() {
    let folder = Folder::new("json-ids");
    let input = case("ids_of_other_types.jsonl");
    let lines = batch(&input, &[]).json_lines();
    assert_eq!(vectors(&lines), embedded(&["one", "two", "three", "four"]));
    let ids: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &Value::Null, &Value::Null]);
    let outcome = batch(&input, &[]);
    let warnings = outcome.stderr.lines().filter(|line| line.starts_with("warning: "));
    assert_eq!(warnings.count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("line 2: its id is an object, "), "{}", outcome.stderr);
    assert_eq!(run(&["embed", "--input", &input]).json_lines().len(), 4);
    let outcome = batch(&input, &["--id-column", "id"]);
    assert!(outcome.failure(1).contains("line 2: `id` is an object; it must be"));
    let half = folder.write("half.jsonl", b"{\"text\":\"one\",\"id\":1.5}\n");
    assert!(batch(&half, &["--id-column", "id"]).failure(1).contains("`id` is 1.5; it must be"));

    let pandas = batch(&case("pandas_ids.jsonl"), &["--keep-going"]).json_lines();
    let ids: Vec<&Value> = pandas.iter().map(|line| &line["id"]).collect();
    assert_eq!(ids, [&json!(1), &Value::Null, &json!(4)]);
    assert_eq!(vectors(&pandas), embedded(&["a/b", "c", "d"]));
}

#[test]
fn arrays_are_read_and_other_json_is_refused() {
    let folder = Folder::new("json-arrays");
    let expected = embedded(&["hello", "world"]);
    let array = case("array.json");
    let tight = folder.write(
        "tight.json",
        b"\xEF\xBB\xBF[{\"text\":\"hello\",\"x\":{\"a\":[\"]}\\\"\"]}},{\"x\":NaN,\"text\":\"world\"}]",
    );
    for input in [&array, &tight] {
        assert_eq!(vectors(&batch(input, &[]).json_lines()), expected, "{input}");
        assert_eq!(vectors(&run(&["embed", "--input", input]).json_lines()), expected, "{input}");
        let bytes = std::fs::read(input).unwrap();
        assert_eq!(vectors(&run_with_input(&["embed"], &bytes).json_lines()), expected, "{input}");
    }
    let nothing = folder.write("nothing.json", b" [ ]\n");
    assert_eq!(batch(&nothing, &[]).good(), b"");
    let bad = folder.write("bad.json", b"[{\"text\":\"a\"},\n{\"text\":1},\n{\"text\":\"b\"}]");
    assert!(
        batch(&bad, &[]).failure(1).ends_with("bad.json, line 2: `text` is a number, not a string")
    );
    assert_eq!(batch(&bad, &["--keep-going"]).code, Some(3));
    for (bytes, message) in [
        (&b"[{\"text\":\"a\"}"[..], "line 1: the array is not closed"),
        (b"[{\"text\":\"a\"", "line 1: the array is not closed"),
        (b"[{\"text\":\"a\"} {}]", "expected `,` or `]` after an object"),
        (b"[{\"text\":\"a\"}]]", "more follows the array"),
        (b"[{\"text\":\"a\"},1]", "the array must consist of objects"),
        (b"[1]", "the array must consist of objects"),
        (b"\"a\"", "not a JSON array"),
        (b"{\n\"text\":\"a\"\n}\n", "line 1: not valid JSON at column 2: the line ends inside"),
    ] {
        let input = folder.write("broken.json", bytes);
        let outcome = batch(&input, &[]);
        assert!(outcome.failure(1).contains(message), "{message}: {}", outcome.stderr);
    }
    for (name, found) in [("array_line.jsonl", "an array"), ("string_line.jsonl", "a string")] {
        for command in [&["batch", "--output", "-", "--format", "csv"][..], &["embed"]] {
            let outcome = run(&[command, &["--input", &case(name)]].concat());
            assert!(outcome.failure(1).ends_with(&format!("line 1: {found}, not an object")));
        }
    }
}
