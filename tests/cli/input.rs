//! Where texts come from.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::json;

use super::support::*;

#[test]
fn standard_input_is_read_without_texts() {
    let expected = run(&["embed", "one", "", "two"]).json_lines();
    let input = b"\xEF\xBB\xBFone\r\n\ntwo";
    assert_eq!(run_with_input(&["embed"], input).json_lines(), expected);
    assert_eq!(run_with_input(&["embed", "--input", "-"], input).json_lines(), expected);
    let folder = Folder::new("lines");
    assert_eq!(run(&["embed", "--input", &folder.write("in.txt", input)]).json_lines(), expected);
}

/// A table's lines are no texts.
#[test]
fn tables_are_left_to_batch() {
    let folder = Folder::new("tables");
    let input = folder.write("in.csv", b"text\none\n");
    for command in ["embed", "tokenize"] {
        let outcome = run(&[command, "--input", &input]);
        assert!(outcome.failure(2).contains("in.csv: this command reads lines and jsonl"));
    }
    let lines = run(&["embed", "--input", &input, "--input-format", "lines"]).json_lines();
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_hyphen_is_standard_input() {
    let expected = run(&["embed", "one", "two"]).json_lines();
    assert_eq!(run_with_input(&["embed", "-"], b"one\ntwo\n").json_lines(), expected);
    let ids = run_with_input(&["tokenize", "-"], b"one\ntwo\n").json_lines();
    assert_eq!(ids, run(&["tokenize", "one", "two"]).json_lines());
    assert_eq!(run(&["embed", "-", "one"]).json_lines().len(), 2);
}

#[test]
fn a_text_that_names_a_file_is_noted() {
    let folder = Folder::new("named");
    let notes = folder.write("notes.md", b"one\n");
    let outcome = run(&["embed", "one", &notes]);
    let note = format!("--input {notes} reads its texts");
    assert!(outcome.stderr.contains(&note), "{}", outcome.stderr);
    assert_eq!(outcome.json_lines().len(), 2);
    assert!(!run(&["embed", "one"]).stderr.contains("--input"));
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(run(&["embed"]).good(), b"");
    let empty = run(&["embed", "--format", "json"]).json_lines();
    assert_eq!(empty[0]["data"], json!([]));
    assert_eq!(run(&["tokenize"]).good(), b"");
}

#[test]
fn bytes_that_are_no_letters_are_texts() {
    let lines = run_with_input(&["embed"], b"\0\n\x1b[31m\n\t\n").json_lines();
    assert_eq!(lines.len(), 3);
}

#[test]
fn jsonl_carries_ids() {
    let folder = Folder::new("jsonl");
    let bytes = b"{\"text\":\"one\",\"id\":\"a,\\\"b\\\"\"}\n\n{\"id\":7,\"text\":\"two\",\"other\":{}}\n{\"text\":\"three\"}\n";
    let input = folder.write("in.jsonl", bytes);
    let lines = run(&["embed", "--input", &input]).json_lines();
    assert_eq!(lines[0]["id"], json!("a,\"b\""));
    assert_eq!(lines[1]["id"], json!(7));
    assert!(lines[2].get("id").is_none());
    assert_eq!(vectors(&lines), vectors(&run(&["embed", "one", "two", "three"]).json_lines()));
    let piped = run_with_input(&["embed", "--input", "-", "--input-format", "jsonl"], bytes);
    assert_eq!(piped.json_lines(), lines);
    let ids: Vec<_> = run(&["tokenize", "--input", &input])
        .json_lines()
        .iter()
        .map(|line| line["id"].clone())
        .collect();
    assert_eq!(ids, [json!("a,\"b\""), json!(7), json!(null)]);
}

#[test]
fn input_of_several_chunks_keeps_its_order() {
    let texts: Vec<String> = (0..1100).map(|i| format!("{}", i % 7)).collect();
    let answer =
        run_with_input(&["embed", "--format", "json"], texts.join("\n").as_bytes()).json_lines();
    let data = answer[0]["data"].as_array().unwrap();
    assert_eq!(data.len(), texts.len());
    for (i, item) in data.iter().enumerate() {
        assert_eq!(item["index"], json!(i));
        assert_eq!(item["embedding"], data[i % 7]["embedding"]);
    }
}

/// A program may keep the binary running and ask it one text at a time.
#[test]
fn a_waiting_reader_gets_its_vector() {
    let mut child = command(&["embed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for text in ["one", "two"] {
        writeln!(stdin, "{text}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&line).unwrap(),
            run(&["embed", text]).json_lines()[0]
        );
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn white_space_at_the_ends_is_left_out_on_request() {
    let embedding = |arguments: &[&str]| run(arguments).json_lines()[0]["embedding"].clone();
    let plain = embedding(&["embed", "Mars is red."]);
    assert_ne!(embedding(&["embed", " Mars is red.\n"]), plain);
    assert_eq!(embedding(&["embed", "--trim", " Mars is red.\n"]), plain);
    let folder = Folder::new("trim");
    let input = folder.write("in.jsonl", b"{\"text\":\"Mars is red.\\n\"}\n");
    let batch = ["batch", "--input", &input, "--output", "-", "--format", "jsonl"];
    assert_eq!(embedding(&[&batch[..], &["--trim"]].concat()), plain);
    assert_ne!(embedding(&batch), plain);
}
