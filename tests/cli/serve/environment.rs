//! What the tests with programs of others need of this machine. They run where MONOMORPH_CLIENT_TESTS=1 asks for them,
//! and say so where they cannot.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Says something that is shown although the test passes.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// Whether the tests with programs of others are asked for, and all of these programs are here. Says why not.
pub fn is_asked_for(programs: &[&str]) -> bool {
    if std::env::var_os("MONOMORPH_CLIENT_TESTS").is_none() {
        say("SKIPPED: MONOMORPH_CLIENT_TESTS=1 runs it, with programs and packages of others");
        return false;
    }
    let missing: Vec<&str> =
        programs.iter().copied().filter(|name| path_of(name).is_none()).collect();
    if !missing.is_empty() {
        say(&format!("SKIPPED: not installed: {}", missing.join(", ")));
    }
    missing.is_empty()
}

/// Where a program is; Debian has those of servers in folders that are not in everybody's PATH.
pub fn path_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The interpreter of an environment with these packages, made once and kept in the target folder, or why there is none.
pub fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    // An environment that was made for an earlier version of the test may lack packages.
    let list = packages.join("\n");
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == list) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    std::fs::write(&ready, list).map_err(|error| error.to_string())?;
    Ok(python)
}

/// The folder of a package for Node, installed once and kept in the target folder, or why there is none.
pub fn node_package(name: &str, package: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (installed, ready) = (folder.join("node_modules").join(package), folder.join("ready"));
    if ready.exists() {
        return Ok(installed);
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", package, "--prefix"]).arg(&folder);
    run(&mut npm)?;
    std::fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(installed)
}

/// The output of a program that ends well, or what another says on standard error.
fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
