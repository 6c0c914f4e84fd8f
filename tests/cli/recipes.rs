//! The examples of docs/recipes.md, each in a folder of its own. Those that need a package from PyPI run where
//! MONOMORPH_PYTHON_TESTS=1 asks for it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::*;

/// A script, and the program or package that it needs.
struct Recipe {
    title: String,
    needs: Option<String>,
    script: String,
}

fn recipes() -> Vec<Recipe> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (mut recipes, mut title, mut needs) = (Vec::new(), String::new(), None);
    let mut script: Option<String> = None;
    for line in page.lines() {
        match (&mut script, line) {
            (None, "```sh") => script = Some(String::new()),
            (Some(_), "```") => recipes.extend(script.take().map(|script| Recipe {
                title: title.clone(),
                needs: needs.take(),
                script,
            })),
            (Some(script), line) => *script += &format!("{line}\n"),
            (None, line) => {
                if let Some(found) = line.strip_prefix("## ") {
                    title = found.to_owned();
                }
                let comment = line.strip_prefix("<!-- needs ").and_then(|l| l.strip_suffix(" -->"));
                needs = comment.map(str::to_owned).or(needs);
            }
        }
    }
    recipes
}

/// The folders of programs with this one's first, and that of a Python which has the packages.
fn path(python: Option<&Path>) -> OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_monomorph")).parent().unwrap();
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let first = [Some(own), python.and_then(Path::parent)].into_iter().flatten();
    std::env::join_paths(first.map(Path::to_owned).chain(std::env::split_paths(&usual))).unwrap()
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn every_recipe_runs() {
    run(&["--version"]).good();
    let recipes = recipes();
    assert!(recipes.len() >= 7);
    for (number, Recipe { title, needs, script }) in recipes.into_iter().enumerate() {
        let python = match needs.as_deref() {
            None => None,
            Some("jq") if is_there("jq") => None,
            Some("duckdb") if std::env::var_os("MONOMORPH_PYTHON_TESTS").is_some() => {
                match super::readback::python() {
                    Ok(python) => Some(python),
                    Err(reason) => {
                        println!("SKIPPED: {title}: no Python with the packages: {reason}");
                        continue;
                    }
                }
            }
            Some("duckdb") => {
                println!("SKIPPED: {title}: MONOMORPH_PYTHON_TESTS=1 runs it");
                continue;
            }
            Some(other) => {
                println!("SKIPPED: {title}: it needs {other}");
                continue;
            }
        };
        let folder = Folder::new(&format!("recipe-{number}"));
        let mut shell = Command::new("sh");
        shell.args(["-euc", &script]).current_dir(folder.path("")).stdin(Stdio::null());
        shell.env("PATH", path(python.as_deref())).env_remove("MODEL_GGUF");
        let answer = Outcome::of(shell).text();
        assert!(!answer.trim().is_empty(), "{title}: no answer");
        match title.as_str() {
            "Search a folder of notes" => {
                assert!(answer.contains("notes/") && answer.contains(":"), "{answer}");
            }
            "Products from csv, and SQL" => {
                assert!(answer.contains("a1") && !answer.contains("a2"))
            }
            "Duplicates" => assert_eq!(answer, "2\n"),
            _ => {}
        }
    }
}
