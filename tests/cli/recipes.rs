//! The examples of docs/recipes.md, those of a section in a folder of its own. Those that need a package from PyPI run
//! where MONOMORPH_PYTHON_TESTS=1 asks for it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::postgres::Postgres;
use super::readback::{python, say};
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
pub fn path(python: Option<&Path>) -> OsString {
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

impl Recipe {
    /// Runs the script, or says why it cannot be run.
    fn run(&self, folder: &Folder) -> Result<String, String> {
        let python = match self.needs.as_deref() {
            None => None,
            Some("jq") if is_there("jq") => None,
            Some("jq") => return Err("it needs jq".into()),
            Some(_) if std::env::var_os("MONOMORPH_PYTHON_TESTS").is_some() => Some(python()?),
            Some(_) => return Err("MONOMORPH_PYTHON_TESTS=1 runs it".into()),
        };
        let server = (self.needs.as_deref() == Some("psycopg"))
            .then(|| Postgres::start(python.as_deref().unwrap()))
            .transpose()?;
        let mut shell = Command::new("sh");
        shell.args(["-euc", &self.script]).current_dir(folder.path("")).stdin(Stdio::null());
        shell.env("PATH", path(python.as_deref())).env_remove("MODEL_GGUF");
        shell.envs(server.iter().flat_map(Postgres::variables));
        Ok(Outcome::of(shell).text())
    }
}

/// The ids that `search` puts first.
fn nearest(answer: &str) -> Vec<&str> {
    answer.lines().map(|line| line.split('\t').nth(2).expect(line)).collect()
}

#[test]
fn every_recipe_runs() {
    run(&["--version"]).good();
    let recipes = recipes();
    assert!(recipes.len() >= 12);
    let mut section = (String::new(), Folder::new("recipe"), String::new());
    for (number, recipe) in recipes.iter().enumerate() {
        let Recipe { title, needs, .. } = recipe;
        if section.0 != *title {
            section = (title.clone(), Folder::new(&format!("recipe-{number}")), String::new());
        }
        let (_, folder, first) = &mut section;
        let answer = match recipe.run(folder) {
            Ok(answer) => answer,
            Err(reason) => {
                let needs = needs.as_deref().unwrap_or_default();
                say(&format!("SKIPPED: {title} with {needs}: {reason}"));
                continue;
            }
        };
        assert!(!answer.trim().is_empty(), "{title}: no answer");
        match title.as_str() {
            "Search a folder of notes" => {
                assert!(answer.contains("notes/") && answer.contains(":"), "{answer}");
            }
            "Products from csv, and SQL" => {
                assert!(answer.contains("a1") && !answer.contains("a2"))
            }
            "Vector databases" if first.is_empty() => assert_eq!(nearest(&answer).len(), 3),
            "Vector databases" => {
                let ids = answer.lines().map(|line| line.split(' ').next().unwrap());
                assert_eq!(ids.collect::<Vec<_>>(), nearest(first), "{needs:?}");
            }
            "Duplicates" => assert_eq!(answer, "2\n"),
            _ => {}
        }
        if first.is_empty() {
            *first = answer;
        }
    }
}
