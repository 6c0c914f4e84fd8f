//! csv and tsv as they are in the world: marks of Excel, quotes that are none, other delimiters, no names. What is read
//! is what is there, or an error says where and what to do.

use serde_json::{Value, json};

use super::support::*;

/// The answers of a run of `batch` over a file.
fn batch(input: &str, more: &[&str]) -> Outcome {
    run(&[&["batch", "--input", input, "--output", "-", "--format", "jsonl"], more].concat())
}

fn ids(outcome: Outcome) -> Vec<Value> {
    outcome.json_lines().iter().map(|line| line["id"].clone()).collect()
}

fn embedded(texts: &[&str]) -> Vec<Vec<f32>> {
    vectors(&run(&[&["embed"], texts].concat()).json_lines())
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_name() {
    let folder = Folder::new("text-mark");
    let tsv = folder.write("in.tsv", b"\xEF\xBB\xBFtext\tid\nhello\t1\nworld\t2\n");
    for (input, expected) in [
        (case("bom_text_first.csv"), ["1", "2"]),
        (case("bom_quoted_header.csv"), ["7", "8"]),
        (tsv, ["1", "2"]),
    ] {
        let lines = batch(&input, &[]).json_lines();
        assert_eq!(vectors(&lines), embedded(&["hello", "world"]), "{input}");
        assert_eq!(ids(batch(&input, &[])), expected, "{input}");
        let vectors = folder.argument("out.jsonl");
        run(&["batch", "--input", &input, "--output", &vectors, "--restart"]).good();
        let found = run(&["search", "hello", "--in", &vectors, "--texts", &input]).text();
        assert!(found.lines().any(|line| line.ends_with(&format!("{}\thello", expected[0]))));
        run(&["ranges", "--input", &input, "--output", &folder.argument("r.npy")]).good();
    }
}

/// A quote that is not closed swallows records, and one that is a character like any other is lost.
#[test]
fn doubtful_quotes_are_errors_that_name_the_line() {
    let folder = Folder::new("text-quotes");
    let doubled = folder.write("doubled.csv", b"id,text\n1,\"a \"\"b\"\" c\"\n2,\"two\nlines\"\n");
    assert_eq!(
        vectors(&batch(&doubled, &[]).json_lines()),
        vectors(&run(&["embed", "a \"b\" c"]).json_lines())
            .into_iter()
            .chain(embedded(&["two\nlines"]))
            .collect::<Vec<_>>()
    );
    let torn = folder.write("torn.csv", b"id,text\n1,one\n2,\"two\" or more\n3,three\n");
    let names = folder.write("names.csv", b"id,\"text\n1,one\n");
    for (input, line, what) in [
        (case("unclosed_quote.csv"), 3, "never closed"),
        (case("bare_quotes.tsv"), 2, "several lines"),
        (torn, 3, "more follows the closing quote"),
        (names, 1, "never closed"),
    ] {
        for command in ["batch", "ranges"] {
            let output = folder.argument("out.npy");
            let outcome = run(&[command, "--input", &input, "--output", &output]);
            let message = outcome.failure(1);
            assert!(message.contains(&format!(", line {line}: ")), "{message}");
            assert!(message.contains(what) && message.contains("--quote none"), "{message}");
            assert!(!folder.path("out.npy").exists());
            let _ = std::fs::remove_file(folder.path("out.npy.part"));
        }
    }
    // Records before the quote have their vectors.
    let outcome = batch(&case("unclosed_quote.csv"), &["--keep-going"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(outcome.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);

    let bare = case("bare_quotes.tsv");
    let lines = batch(&bare, &["--quote", "none"]).json_lines();
    let texts = ["\"Hello, he said", "just two", "\"three\" is a number", "four"];
    assert_eq!(vectors(&lines), embedded(&texts));
    let spanning = folder.write("spanning.tsv", b"id\ttext\n1\t\"two\nlines\"\n");
    assert!(batch(&spanning, &[]).failure(1).contains("line 2: "));
    let lines = batch(&spanning, &["--quote", "double"]).json_lines();
    assert_eq!(vectors(&lines), embedded(&["two\nlines"]));
}

#[test]
fn other_delimiters_are_read_or_named() {
    let folder = Folder::new("text-delimiters");
    let semicolons = case("semicolons.csv");
    let message = "the delimiter seems to be ';', which --delimiter sets";
    assert!(batch(&semicolons, &[]).failure(1).ends_with(message));
    let bars = folder.write("bars.csv", b"id|text\n1|hello\n");
    assert!(batch(&bars, &[]).failure(1).contains("seems to be '|'"));
    let said = folder.write("said.csv", b"\xEF\xBB\xBFsep=;\r\nid;text\r\n1;hello\r\n;\r\n;\"\r\n");
    let hello = embedded(&["hello"]);
    for (input, more) in [
        (&semicolons, &["--delimiter", ";"][..]),
        (&bars, &["--delimiter", "|"]),
        (&case("sep_line.csv"), &[]),
        (&said, &["--shard", "0/3"]),
    ] {
        let outcome = batch(input, more);
        if input == &said {
            // Its last line is broken, and counts from the line that names the delimiter.
            assert!(outcome.failure(1).contains("said.csv, line 5: "), "{}", outcome.stderr);
            continue;
        }
        let lines = outcome.json_lines();
        assert_eq!((&lines[0]["id"], vectors(&lines)), (&json!("1"), hello.clone()), "{input}");
    }
    for wrong in ["", "ab", "\"", "\u{e9}"] {
        assert_eq!(batch(&bars, &["--delimiter", wrong]).code, Some(2));
    }
    let lines = folder.write("in.jsonl", b"{\"text\":\"one\"}\n");
    let outcome = batch(&lines, &["--quote", "none"]);
    assert!(outcome.failure(2).starts_with("--quote is for csv and tsv"), "{}", outcome.stderr);
}

#[test]
fn columns_that_are_not_there_are_named_with_the_nearest() {
    let folder = Folder::new("text-names");
    for (input, near) in [
        (case("spaces_in_names.csv"), " text "),
        (case("capital_names.csv"), "Text"),
        (case("capital_key.jsonl"), "Text"),
    ] {
        let message = format!("; --column {near:?} would name the one that is there");
        assert!(batch(&input, &[]).failure(1).ends_with(&message), "{input}");
        let lines = batch(&input, &["--column", near]).json_lines();
        assert_eq!(vectors(&lines), embedded(&["hello"]));
    }
    let outcome = batch(&case("capital_names.csv"), &["--column", "Text", "--id-column", "id"]);
    assert!(outcome.failure(1).ends_with("; --id-column \"ID\" would name the one that is there"));
    let twice = folder.write("twice.csv", b"text,text\na,b\n");
    let message = "the column \"text\" is there twice; rename one of the two";
    assert!(batch(&twice, &[]).failure(1).ends_with(message));
    assert!(batch(&case("empty.csv"), &[]).failure(1).contains("empty.csv is empty"));
}

#[test]
fn tables_without_names_are_read() {
    let folder = Folder::new("text-headless");
    let passage = "A passage of a hundred kilobytes. ".repeat(3000);
    let long = folder.write("long.tsv", format!("0\t{passage}\n1\tshort\n").as_bytes());
    for input in [&case("no_names.tsv"), &long] {
        let outcome = batch(input, &[]);
        let message = outcome.failure(1);
        assert!(message.contains("--no-header") && message.len() < 400, "{message}");
    }
    let input = case("no_names.tsv");
    let lines = batch(&input, &["--no-header", "--column", "2", "--id-column", "1"]).json_lines();
    assert_eq!([&lines[0]["id"], &lines[1]["id"]], ["0", "1"]);
    let texts = ["The first passage of a collection.", "The second one, \"quoted."];
    assert_eq!(vectors(&lines), embedded(&texts));
    let outcome = batch(&input, &["--no-header"]);
    assert!(outcome.failure(1).contains("it has 1, 2; --column 2"), "{}", outcome.stderr);
    let empty = folder.write("empty.tsv", b"");
    assert_eq!(batch(&empty, &["--no-header"]).good(), b"");
}

/// The model was trained with `none` where there is no title.
#[test]
fn empty_titles_are_no_titles() {
    let folder = Folder::new("text-titles");
    if monomorph::built::SPEC.prompts.iter().all(|prompt| prompt.titled.is_none()) {
        return println!("SKIPPED: this model has no prompt that takes a title");
    }
    let blank = folder.write("blank.csv", b"title,text\n  ,hello\nnone,hello\n");
    let jsonl = folder.write(
        "in.jsonl",
        b"{\"title\":\"\",\"text\":\"hello\"}\n{\"title\":null,\"text\":\"hello\"}\n{\"text\":\"hello\"}\n",
    );
    let plain = vectors(&run(&["embed", "--prompt", "document", "hello"]).json_lines());
    for input in [case("empty_title.csv"), blank, jsonl] {
        let lines =
            batch(&input, &["--title-column", "title", "--prompt", "document"]).json_lines();
        assert!(vectors(&lines).iter().all(|vector| *vector == plain[0]), "{input}");
    }
    for title in ["", " "] {
        let lines = run(&["embed", "--prompt", "document", "--title", title, "hello"]);
        assert_eq!(vectors(&lines.json_lines()), plain);
    }
}
