//! Answers word for word: those that do not depend on the model, and the tiny model's. A transcript that is out of date
//! is rewritten and fails: look at the difference before committing it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::support::{Folder, Outcome, command};
use monomorph::built;
use monomorph_testing::tiny;

const HELP: &[&[&str]] = &[
    &["--help"],
    &["embed", "--help"],
    &["batch", "--help"],
    &["search", "--help"],
    &["dedupe", "--help"],
    #[cfg(feature = "plot")]
    &["plot", "--help"],
    &["ranges", "--help"],
    &["tokenize", "--help"],
    &["similarity", "--help"],
    #[cfg(feature = "serve")]
    &["serve", "--help"],
    #[cfg(feature = "serve")]
    &["health", "--help"],
    &["inspect", "--help"],
    &["bench", "--help"],
    &["verify", "--help"],
    &["pack", "--help"],
    &["completions", "--help"],
    &["man", "--help"],
];

const USAGE: &[&[&str]] = &[
    &["embd"],
    &["embed", "--prompt", "serch", "one"],
    &["embed", "--prompt", "query", "--prefix", "p", "one"],
    &["embed", "--prompt", "query", "--title", "t", "one"],
    &["embed", "--title", "t", "one"],
    &["embed", "--input", "-", "one"],
    &["embed", "--format", "xml", "one"],
    &["embed", "--dimensions", "0", "one"],
    &["embed", "--unicode", "nfd", "one"],
    &["batch", "--input", "in.jsonl"],
    &["batch", "--input", "in.jsonl", "--output", "out.dat"],
    &["batch", "--input", "in.jsonl", "--output", "out.npy", "--shard", "3/3"],
    &["batch", "--input", "in.txt", "--output", "out.npy", "--column", "body"],
    &["batch", "--input", "in.csv", "--output", "out.npy", "--title-column", "title"],
    &["search", "query"],
    &["search", "query", "--in", "vectors.csv"],
    &["dedupe", "--in", "vectors.npy", "--threshold", "95%"],
    &["ranges", "--input", "in.txt"],
    &["completions", "tcsh"],
    &["man"],
    &["similarity", "one"],
    &["similarity", "--query", "one"],
    #[cfg(feature = "serve")]
    &["serve", "--host", "0.0.0.0"],
    #[cfg(feature = "serve")]
    &["serve", "--max-body", "16 parsecs"],
    #[cfg(feature = "serve")]
    &["health", "--port", "0"],
    &["inspect"],
    &["inspect", "--self", "model.gguf"],
    &["--license", "inspect"],
    &["bench", "--input", "texts.jsonl"],
    &["bench", "--input", "texts.jsonl", "--mode", "single", "--seconds", "-1"],
];

/// Each command twice: once it succeeds, once it fails. `inspect` has a transcript of its own.
const COMMANDS: &[&[&str]] = &[
    &["embed", "--dimensions", "4", "Mars is red."],
    &["embed", "--input", "missing.txt"],
    &["batch", "--input", "notes.jsonl", "--output", "vectors.jsonl"],
    &["batch", "--input", "broken.jsonl", "--output", "others.jsonl"],
    &["search", "Mars", "--in", "vectors.jsonl"],
    &["search", "Mars", "--in", "notes.jsonl"],
    &["search", "Mars", "--in", "broken.jsonl"],
    &["dedupe", "--in", "vectors.jsonl", "--show", "kept"],
    &["dedupe", "--in", "notes.jsonl"],
    &["ranges", "--input", "notes.jsonl", "--output", "ranges.json"],
    &["ranges", "--input", "broken.jsonl", "--output", "others.json"],
    &["similarity", "Mars is red.", "Venus is hot."],
    &["similarity", "--threads", "0", "Mars is red.", "Venus is hot."],
    &["tokenize", "Mars is red."],
    &["tokenize", "--input", "broken.jsonl"],
    &["verify"],
    &["verify", "--model", "notes.jsonl"],
    &["bench", "--input", "notes.jsonl", "--mode", "batch", "--seconds", "0"],
    &["bench", "--input", "missing.jsonl", "--mode", "batch"],
    &["completions", "bash"],
    &["completions", "cmd"],
    &["man", "pages"],
    &["man", "notes.jsonl"],
];

#[test]
fn help() {
    compare("help.txt", HELP.iter().map(|arguments| transcript(Path::new("."), arguments)));
}

#[test]
fn usage() {
    compare("usage.txt", USAGE.iter().map(|arguments| transcript(Path::new("."), arguments)));
}

#[test]
fn commands() {
    if built::NAME != tiny::NAME || built::IS_EMBEDDED {
        println!("SKIPPED: this transcript is one of the tiny model in a file");
        return;
    }
    let folder = Folder::new("transcripts");
    folder.write("notes.jsonl", NOTES.as_bytes());
    folder.write("broken.jsonl", NOTES.replace("text\":\"Venus", "body\":\"Venus").as_bytes());
    let run = |arguments: &&[&str]| transcript(&folder.path(""), arguments);
    compare("commands.txt", COMMANDS.iter().map(run));
}

const NOTES: &str = r#"{"id":"mars","text":"Mars is the Red Planet."}
{"id":"venus","text":"Venus is hot."}
"#;

/// Fails where the file of this name has other transcripts, and rewrites it.
pub(super) fn compare(name: &str, transcripts: impl Iterator<Item = String>) {
    let found: String = transcripts.collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts").join(name);
    if fs::read_to_string(&path).unwrap_or_default() != found {
        fs::write(&path, found).unwrap();
        panic!("{} was out of date and has been rewritten: see the difference", path.display());
    }
}

/// What a run in this folder says, and how it ends.
pub(super) fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let mut command = command(arguments);
    command.current_dir(folder);
    let outcome = Outcome::of(command);
    let quoted =
        |word: &&str| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() };
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    let mut text = format!("$ monomorph {}\n", words.join(" "));
    let stdout = String::from_utf8(outcome.stdout).unwrap();
    let shown = if arguments == ["completions", "bash"] { 3 } else { usize::MAX };
    for line in stdout.lines().take(shown) {
        writeln!(text, "{}", without_measures(line)).unwrap();
    }
    if stdout.lines().count() > shown {
        writeln!(text, "...").unwrap();
    }
    for line in outcome.stderr.lines().filter(|line| !line.starts_with("note: ")) {
        writeln!(text, "2> {}", without_measures(line)).unwrap();
    }
    writeln!(text, "=> {}\n", outcome.code.unwrap()).unwrap();
    text.replace(built::SOURCE, "MODEL")
}

/// A line of `batch` or `bench` without what differs from run to run and from machine to machine.
fn without_measures(line: &str) -> String {
    const LABELS: [&str; 8] = [
        "passes ",
        "median pass ",
        "tokens/s ",
        "texts/s ",
        "peak memory ",
        "isa ",
        "path ",
        "threads ",
    ];
    if let Some(label) = LABELS.into_iter().find(|label| line.starts_with(label)) {
        return format!("{label:13} ...");
    }
    match line.split_once(" tokens in ") {
        Some((counts, _)) => format!("{counts} tokens in ..."),
        None => line.to_owned(),
    }
}
