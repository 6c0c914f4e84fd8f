//! Folders, patterns and several files as one input, and texts that are cut into chunks.

use std::fs;

use super::support::*;

/// Notes, a file that is no text, one that .gitignore names, and a table.
fn notes(name: &str) -> Folder {
    let folder = Folder::new(name);
    fs::create_dir_all(folder.path("notes/deep")).unwrap();
    folder.write("notes/.gitignore", b"secret.md\n");
    folder.write("notes/secret.md", b"# Secret\n");
    folder.write("notes/.hidden.md", b"# Hidden\n");
    folder.write("notes/b.md", b"# Bees\n\nThey hum.\n\n## Food\n\nNectar. Pollen.\n");
    folder.write("notes/a.txt", b"Plain text.\nSecond line.\n");
    folder.write("notes/deep/c.markdown", b"---\ntitle: Cats\n---\nThey sleep.\n");
    folder.write("notes/table.csv", b"id,text\n1,one\n");
    folder.write("notes/picture.png", b"\x89PNG\0");
    folder
}

fn ids(outcome: Outcome) -> Vec<String> {
    let id = |line: serde_json::Value| line["id"].as_str().unwrap().to_owned();
    outcome.json_lines().into_iter().map(id).collect()
}

fn batch(folder: &Folder, inputs: &[&str], more: &[&str]) -> Outcome {
    let mut command = command(&["batch", "--output", "-", "--format", "jsonl", "--input"]);
    command.args(inputs).args(more).current_dir(folder.path(""));
    Outcome::of(command)
}

#[test]
fn documents_of_a_folder_are_records() {
    let folder = notes("folders-documents");
    let outcome = batch(&folder, &["notes"], &[]);
    let note = "note: notes: 3 files read, 2 of other kinds left out (1 .csv, 1 .png)\n";
    assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
    assert_eq!(ids(outcome), ["notes/a.txt", "notes/b.md", "notes/deep/c.markdown"]);
    assert_eq!(ids(batch(&folder, &["notes/*.md"], &[])), ["notes/b.md", "notes/secret.md"]);
    assert_eq!(ids(batch(&folder, &["notes/**/c*"], &[])), ["notes/deep/c.markdown"]);
    let both = batch(&folder, &["notes/deep", "notes/b.md"], &[]);
    assert_eq!(ids(both), ["notes/deep/c.markdown", "notes/b.md"]);
    // The text of a document is the whole file.
    let embedding = |outcome: Outcome| outcome.json_lines()[0]["embedding"].clone();
    let text = fs::read_to_string(folder.path("notes/b.md")).unwrap();
    assert_eq!(embedding(batch(&folder, &["notes/b.md"], &[])), embedding(run(&["embed", &text])));
    // Lines of text files, and the tables, are there for the asking.
    assert_eq!(batch(&folder, &["notes"], &["--input-format", "lines"]).json_lines().len(), 2);
    assert_eq!(ids(batch(&folder, &["notes"], &["--input-format", "csv"])), ["1"]);
    for (inputs, code, message) in [
        (&["-", "notes"][..], 2, "standard input cannot be one of several inputs"),
        (&["none/*.md"], 1, "none"),
        (&["notes/*.rs"], 1, "--input notes/*.rs: no file has such a name"),
    ] {
        let outcome = batch(&folder, inputs, &[]);
        assert!(outcome.failure(code).contains(message), "{}", outcome.stderr);
    }
    fs::create_dir(folder.path("empty")).unwrap();
    assert!(batch(&folder, &["empty"], &[]).failure(1).starts_with("empty: no file in it"));
    folder.write("notes/bad.md", b"a\xFF\n");
    let outcome = batch(&folder, &["notes"], &[]);
    assert!(outcome.failure(1).starts_with("notes/bad.md: not valid UTF-8 at byte 2 (0xFF)"));
    let outcome = batch(&folder, &["notes"], &["--keep-going"]);
    assert_eq!(
        (outcome.code, outcome.stdout.iter().filter(|c| **c == b'\n').count()),
        (Some(3), 3)
    );
}

#[test]
fn tables_with_the_same_columns_are_one() {
    let folder = Folder::new("folders-tables");
    folder.write("a.csv", b"id,text\n1,one\n2,two\n");
    folder.write("b.csv", b"id,text\n3,three\n");
    folder.write("c.csv", b"text,id\nfour,4\n");
    assert_eq!(ids(batch(&folder, &["a.csv", "b.csv", "c.csv"], &[])), ["1", "2", "3", "4"]);
    if cfg!(feature = "parquet") {
        let parquet = |inputs: &[&str], output: &str| {
            let mut command = command(&["batch", "--output", output, "--input"]);
            command.args(inputs).current_dir(folder.path(""));
            Outcome::of(command)
        };
        let outcome = parquet(&["a.csv", "c.csv"], "bad.parquet");
        let message = "c.csv has other columns than a.csv: text, id, not id, text; ";
        assert!(outcome.failure(1).starts_with(message), "{}", outcome.stderr);
        parquet(&["a.csv", "b.csv"], "all.parquet").good();
        fs::create_dir(folder.path("parts")).unwrap();
        parquet(&["a.csv"], "parts/a.parquet").good();
        parquet(&["b.csv"], "parts/b.parquet").good();
        let again = ["--embedding-column", "again"];
        let found = |input: &str, name: &str| {
            let mut command = command(&["batch", "--output", name, "--input", input]);
            command.args(again).current_dir(folder.path(""));
            Outcome::of(command).good();
            run(&["search", "one", "--in", &folder.argument(name)]).text()
        };
        assert_eq!(found("parts", "p.parquet"), found("all.parquet", "q.parquet"));
    }
}

#[test]
fn chunks_say_where_they_are() {
    let folder = notes("folders-chunks");
    let lines = batch(&folder, &["notes/b.md"], &["--chunk", "40"]).json_lines();
    let text = fs::read_to_string(folder.path("notes/b.md")).unwrap();
    let mut headings = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let at = |key: &str| line[key].as_u64().unwrap() as usize;
        assert_eq!(line["text"], text[at("chunk_begin")..at("chunk_end")]);
        assert_eq!((at("chunk"), &line["id"]), (number, &serde_json::json!("notes/b.md")));
        headings.push(line["heading"].as_str().unwrap());
        // It is embedded after its headings.
        let whole = format!("{}\n\n{}", headings[number], line["text"].as_str().unwrap());
        assert_eq!(run(&["embed", &whole]).json_lines()[0]["embedding"], line["embedding"]);
    }
    assert_eq!(headings, ["Bees", "Bees > Food"]);
    let long = format!("{}\n", serde_json::json!({ "text": long_text(), "id": 7 }));
    folder.write("long.jsonl", long.as_bytes());
    let outcome = batch(&folder, &["long.jsonl"], &["--chunk", "64", "--overlap", "8"]);
    assert!(!outcome.stderr.contains("cut to"), "{}", outcome.stderr);
    let lines = outcome.json_lines();
    assert!(lines.len() > 10 && lines.iter().all(|line| line["tokens"].as_u64().unwrap() <= 64));
    let at = |i: usize, key: &str| lines[i][key].as_u64().unwrap();
    assert!((1..lines.len()).all(|i| at(i, "chunk_begin") < at(i - 1, "chunk_end")));
    for (more, message) in [
        (&["--chunk", "99999"][..], "--chunk 99999: this model takes at most"),
        (&["--chunk", "64", "--overlap", "33"], "--overlap 33: at most half of --chunk"),
        (&["--chunk", "64", "--format", "npy"], "--chunk: npy does not say where"),
    ] {
        let fixed = ["batch", "--input", &folder.argument("long.jsonl"), "--output"];
        let output = folder.argument("out.jsonl");
        let outcome = run(&[&fixed[..], &[&output], more].concat());
        assert!(outcome.failure(2).starts_with(message), "{}", outcome.stderr);
    }
}

/// The columns beside the texts stay with each chunk, whatever the format of the table.
#[cfg(feature = "parquet")]
#[test]
fn chunks_keep_the_columns_of_their_record() {
    let folder = Folder::new("folders-columns");
    let csv = folder.write("in.csv", b"n,text,sku\n5,\"# A\none\n# B\ntwo\",x1\n6,three,x2\n");
    let jsonl = folder.write(
        "in.jsonl",
        b"{\"n\":5,\"text\":\"# A\\none\\n# B\\ntwo\",\"sku\":\"x1\"}\n{\"text\":\"three\",\"n\":6,\"sku\":\"x2\"}\n",
    );
    let whole = folder.argument("whole.parquet");
    run(&["batch", "--input", &csv, "--output", &whole]).good();
    let mut answers = Vec::new();
    for (i, input) in [&csv, &jsonl, &whole].into_iter().enumerate() {
        let output = folder.argument(&format!("out{i}.parquet"));
        let fixed = ["batch", "--input", input, "--output", &output, "--chunk", "32"];
        let more = ["--id-column", "sku", "--embedding-column", "chunk_vector"];
        run(&[&fixed[..], &more].concat()).good();
        let search = ["search", "one", "--in", &output, "--embedding-column", "chunk_vector"];
        let answer = run(&[&search[..], &["--json"]].concat()).json_lines().remove(0);
        let hits = answer["results"].as_array().unwrap();
        let mut rows: Vec<String> = hits
            .iter()
            .map(|hit| format!("{} {} {} {}", hit["row"], hit["id"], hit["heading"], hit["text"]))
            .collect();
        rows.sort();
        answers.push(rows);
    }
    let expected =
        ["0 \"x1\" \"A\" \"# A\\none\"", "1 \"x1\" \"B\" \"# B\\ntwo\"", "2 \"x2\" null \"three\""];
    assert!(answers.iter().all(|rows| rows == &expected), "{answers:#?}");
}

#[cfg(feature = "parquet")]
#[test]
fn search_shows_where_a_chunk_is() {
    let folder = notes("folders-search");
    let in_folder = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.current_dir(folder.path(""));
        Outcome::of(command)
    };
    in_folder(&["batch", "--input", "notes", "--output", "out.parquet", "--chunk", "64"]).good();
    let fixed = ["search", "# Bees\n\nThey hum.", "--in", "out.parquet", "--prefix", "Bees\n\n"];
    let line = in_folder(&[&fixed[..], &["--top", "1"]].concat()).text();
    assert_eq!(line, "1.0000\tnotes/b.md\tBees\t# Bees  They hum.\n");
    let fixed = [&fixed[..], &["--top", "1"]].concat();
    let shown = in_folder(&[&fixed[..], &["--context", "2"]].concat()).text();
    let expected = "1.0000\tnotes/b.md\tBees\n1:# Bees\n2:\n3:They hum.\n4-\n5-## Food\n";
    assert_eq!(shown, expected);
    let csv = in_folder(&[&fixed[..], &["--format", "csv"]].concat()).text();
    assert!(csv.starts_with("query,score,row,id,text,path,heading,chunk_begin,chunk_end\n"));
    folder.write("notes/b.md", b"# Bees\n\nThey sting.\n");
    let outcome = in_folder(&[&fixed[..], &["--context", "2"]].concat());
    assert!(outcome.stderr.contains("notes/b.md has changed since; "), "{}", outcome.stderr);
    assert!(outcome.text().ends_with(":They hum.\n"));
}
