//! Two hundred damaged copies of a real file, given to the build, to `inspect` and to a command that wants a model:
//! each is refused in one line, or is a model still.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use monomorph_codegen::Generated;
use monomorph_spec::BuildOptions;

use super::support::*;
use monomorph_testing::mutate::{Mutant, mutants};

const COPIES: usize = 200;

/// Far above what any copy takes, below what anyone would wait.
const LIMIT: Duration = Duration::from_secs(20);

/// What became of the copies.
#[derive(Default, Debug)]
struct Tally {
    built: usize,
    refused_by_build: usize,
    described: usize,
    refused_by_inspect: usize,
}

#[test]
fn damaged_copies_of_a_real_header_end_in_one_line() {
    end_in_one_line("embeddinggemma-300m-Q8_0");
}

#[test]
fn damaged_copies_of_berts_header_end_in_one_line() {
    end_in_one_line("minilm-Q8_0");
}

#[test]
fn damaged_copies_of_xlm_robertas_header_end_in_one_line() {
    end_in_one_line("e5-small-Q4_0");
}

#[test]
fn damaged_copies_of_nomics_header_end_in_one_line() {
    end_in_one_line("nomic-tiny-F32");
}

#[test]
fn damaged_copies_of_qwen3s_header_end_in_one_line() {
    end_in_one_line("qwen3-tiny-F32");
}

#[test]
fn damaged_copies_of_modern_berts_header_end_in_one_line() {
    end_in_one_line("modern-tiny-F32");
}

fn end_in_one_line(model: &str) {
    let header =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/headers/{model}.header.gguf"));
    let header = fs::read(header).expect("the header");
    let folder = Folder::new(&format!("mutated-{model}"));
    let mut tally = Tally::default();
    for mutant in mutants(&header, COPIES) {
        let begin = Instant::now();
        let path = folder.path("model.gguf");
        mutant.write(&path);
        build(&mutant, &path, &mut tally);
        inspect(&mutant, &folder.argument("model.gguf"), &mut tally);
        let outcome = run(&["embed", "--model", &folder.argument("model.gguf"), "one"]);
        assert_clear(&mutant, outcome.failure(1));
        assert!(outcome.stdout.is_empty(), "{}", mutant.what);
        assert!(begin.elapsed() < LIMIT, "{} took {:?}", mutant.what, begin.elapsed());
    }
    println!("{COPIES} copies: {tally:?}");
    // Copies that are all refused at the first byte, or not at all, would test little.
    assert!(tally.refused_by_build >= 100 && tally.built >= 5, "{tally:?}");
    assert!(tally.described >= 20 && tally.refused_by_inspect >= 50, "{tally:?}");
}

fn build(mutant: &Mutant, path: &Path, tally: &mut Tally) {
    match Generated::from_file(path, BuildOptions::default()) {
        Ok(_) => tally.built += 1,
        Err(error) => {
            tally.refused_by_build += 1;
            assert_clear(mutant, &error.to_string());
        }
    }
}

fn inspect(mutant: &Mutant, path: &str, tally: &mut Tally) {
    let outcome = run(&["inspect", path]);
    if outcome.code == Some(0) {
        tally.described += 1;
        let text = String::from_utf8(outcome.stdout).expect("UTF-8");
        assert!(text.contains("does not fit") && text.contains("\ntensors\n"), "{}", mutant.what);
    } else {
        tally.refused_by_inspect += 1;
        assert_clear(mutant, outcome.failure(1));
    }
}

#[track_caller]
fn assert_clear(mutant: &Mutant, line: &str) {
    let clear = line.len() > 20 && line.len() < 900 && !line.contains(char::is_control);
    assert!(clear, "{}: {line:?}", mutant.what);
}
