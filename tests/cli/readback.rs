//! The files of batch, read by NumPy, pyarrow and DuckDB, which are fetched from PyPI once and kept in the target
//! folder.
//!
//! Runs where MONOMORPH_PYTHON_TESTS=1 asks for it.

use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;

fn say(line: &str) {
    writeln!(stderr(), "{line}").expect("stderr");
}

/// The interpreter of an environment with the three packages, or why there is none.
pub fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readback-venv");
    let python = folder.join("bin/python");
    let ready = folder.join("ready");
    if ready.exists() {
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
    let packages = ["numpy>=2,<3", "pyarrow>=20", "duckdb>=1.3"];
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}

#[test]
fn other_programs_read_the_same_vectors() {
    if std::env::var_os("MONOMORPH_PYTHON_TESTS").is_none() {
        return say("SKIPPED: MONOMORPH_PYTHON_TESTS=1 runs it, and fetches packages from PyPI");
    }
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("readback-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = |name: &str| folder.join(name).into_os_string().into_string().expect("UTF-8");
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
    fs::remove_dir_all(&folder).expect("cleaning up");
}
