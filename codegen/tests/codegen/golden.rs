//! What is generated, compared with the committed files in testdata/golden.
//!
//! A difference rewrites the file and fails: look at the change, then commit it. The root package compiles and runs
//! the same files (tests/model/generated.rs).

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use monomorph_codegen::Generated;
use monomorph_gguf::Header;
use monomorph_spec::{BuildOptions, Spec};
use xxhash_rust::xxh3::xxh3_64;

#[test]
fn tiny_model() {
    let generated = Generated::from_file(&testdata("tiny.gguf"), BuildOptions::default()).unwrap();
    check(&generated, "tiny");
    assert!(generated.spec.notes.is_empty());
}

#[test]
fn embeddinggemma() {
    let generated = from_header("embeddinggemma-300m-Q8_0.header.gguf");
    check(&generated, "embeddinggemma");
    assert!(generated.spec.notes.is_empty());
}

#[test]
fn gemma3() {
    let generated = from_header("gemma3-270m-Q4_K_M.header.gguf");
    check(&generated, "gemma3");
    assert_eq!(generated.spec.notes.len(), 2);
}

#[test]
fn minilm() {
    let generated = from_header("minilm-Q8_0.header.gguf");
    check(&generated, "minilm");
    assert!(generated.spec.notes.is_empty());
}

#[test]
fn multilingual_e5() {
    let generated = from_header("e5-small-Q4_0.header.gguf");
    check(&generated, "e5");
    assert!(generated.spec.notes.is_empty());
}

#[test]
fn nomic() {
    check(&from_header("nomic-tiny-F32.header.gguf"), "nomic");
}

#[test]
fn qwen3() {
    check(&from_header("qwen3-tiny-F32.header.gguf"), "qwen3");
}

#[test]
fn modern_bert() {
    check(&from_header("modern-tiny-F32.header.gguf"), "modern_bert");
}

/// From the small model of random weights that stands for the architecture.
#[test]
fn gemma_embedding2() {
    let path = testdata("golden/families/gemma-embedding2-tiny.gguf");
    let generated = Generated::from_file(&path, BuildOptions::default()).unwrap();
    check(&generated, "gemma_embedding2");
    assert!(generated.spec.notes.is_empty());
}

/// From a model's own header, with its vocabulary cut short.
fn from_header(name: &str) -> Generated {
    let bytes = fs::read(testdata("headers").join(name)).unwrap();
    let header = Header::parse(&bytes, file_len(&bytes)).unwrap();
    // There is no content to hash.
    Generated::new(&header, Spec::from_header(&header).unwrap(), &bytes, 0, name).unwrap()
}

/// The length that a file with this header has when nothing follows its last tensor.
fn file_len(bytes: &[u8]) -> u64 {
    let header = Header::parse(bytes, u64::MAX).unwrap();
    let ends = header.tensors.iter().map(|t| t.absolute_offset + t.n_bytes);
    ends.max().unwrap().next_multiple_of(header.alignment)
}

fn check(generated: &Generated, model: &str) {
    let source = &generated.source;
    // Constants, types and tables only, and few enough to be read.
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    for verb in ["unsafe", "loop", "while", "if", "match"] {
        assert!(words.clone().all(|word| word != verb), "{verb} in {model}");
    }
    let lines = source.lines().count();
    assert!(lines <= 200, "{lines} lines for {model}");

    // The tables are binary: their lengths and hashes say that every platform builds the same ones.
    let mut tables = String::new();
    for (name, bytes) in [("vocabulary.bin", &generated.vocabulary), ("rope.bin", &generated.rope)]
    {
        let (len, hash) = (bytes.len(), xxh3_64(bytes));
        writeln!(tables, "{name}: {len} bytes, xxh3 {hash:016x}").unwrap();
    }
    let same = [
        same_as_committed(&format!("model_{model}.rs"), source),
        same_as_committed(&format!("tables_{model}.txt"), &tables),
    ];
    assert!(
        same == [true; 2],
        "testdata/golden/*_{model}.* was not what is generated; it has been rewritten: look at the change, then \
         commit it"
    );
}

/// Compares with a committed file, and rewrites it where it differs.
fn same_as_committed(name: &str, text: &str) -> bool {
    let path = testdata("golden").join(name);
    let same = fs::read_to_string(&path).is_ok_and(|committed| committed == text);
    if !same {
        fs::write(&path, text).expect("testdata is writable");
    }
    same
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}
