//! Answers that do not depend on the model, word for word. A transcript that is out of date is rewritten and fails:
//! look at the difference before committing it.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::support::run;

const HELP: &[&[&str]] = &[
    &["--help"],
    &["embed", "--help"],
    &["batch", "--help"],
    &["search", "--help"],
    &["ranges", "--help"],
    &["tokenize", "--help"],
    &["similarity", "--help"],
    &["inspect", "--help"],
    &["bench", "--help"],
    &["verify", "--help"],
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
    &["ranges", "--input", "in.txt"],
    &["completions", "tcsh"],
    &["man"],
    &["similarity", "one"],
    &["similarity", "--query", "one"],
    &["inspect"],
    &["bench", "--input", "texts.jsonl"],
    &["bench", "--input", "texts.jsonl", "--mode", "single", "--seconds", "-1"],
];

#[test]
fn help() {
    compare("help.txt", HELP);
}

#[test]
fn usage() {
    compare("usage.txt", USAGE);
}

fn compare(name: &str, commands: &[&[&str]]) {
    let found: String = commands.iter().map(|arguments| transcript(arguments)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts").join(name);
    if fs::read_to_string(&path).unwrap_or_default() != found {
        fs::write(&path, found).unwrap();
        panic!("{} was out of date and has been rewritten: see the difference", path.display());
    }
}

fn transcript(arguments: &[&str]) -> String {
    let outcome = run(arguments);
    let mut text = format!("$ monomorph {}\n", arguments.join(" "));
    text += &String::from_utf8(outcome.stdout).unwrap();
    for line in outcome.stderr.lines() {
        writeln!(text, "2> {line}").unwrap();
    }
    writeln!(text, "=> {}\n", outcome.code.unwrap()).unwrap();
    text
}
