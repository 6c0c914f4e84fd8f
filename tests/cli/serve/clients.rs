//! The clients that people have, from PyPI, against the binary: their vectors must be the library's.
//!
//! Runs where MONOMORPH_CLIENT_TESTS=1 asks for it; the packages are fetched once and kept in the target folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use monomorph::{EmbedOptions, Embedder};
use serde_json::json;

use super::*;

const PACKAGES: [&str; 10] = [
    "chromadb",
    "haystack-ai",
    "huggingface_hub",
    "langchain-ollama",
    "langchain-openai",
    "litellm",
    "llama-index-embeddings-openai-like",
    "llama-index-embeddings-text-embeddings-inference",
    "ollama",
    "openai",
];

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// The interpreter of an environment with the packages, or why there is none.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-venv");
    let (python, ready) = (folder.join("bin/python"), folder.join("ready"));
    if ready.exists() {
        return Ok(python);
    }
    let run = |command: &mut Command| -> Result<Output, String> {
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(output),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    std::fs::write(&ready, "").map_err(|error| error.to_string())?;
    Ok(python)
}

#[test]
fn real_clients_get_the_librarys_bits() {
    if std::env::var_os("MONOMORPH_CLIENT_TESTS").is_none() {
        return say("SKIPPED: MONOMORPH_CLIENT_TESTS=1 runs it, and fetches packages from PyPI");
    }
    let python = match python() {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let texts = ["Mars is red.", "Which planet is red?", "\u{e9}t\u{e9}, \u{4f60}\u{597d}"];
    let embedder = Embedder::open_built().expect("the model of the build");
    let expected = |prompt: Option<&str>| -> Vec<Vec<f32>> {
        let prompt = prompt.and_then(|name| embedder.prompt(name).ok());
        let options = EmbedOptions { prompt, ..Default::default() };
        let embeddings = embedder.run(&texts, &options).expect("vectors");
        embeddings.into_iter().map(|embedding| embedding.vector).collect()
    };
    let query = embedder.prompt("query").is_ok().then_some("query");
    let case = json!({
        "texts": texts, "vectors": expected(None), "query": query, "query_vectors": expected(query),
    });
    let folder = Folder::new("clients");
    let case = folder.write("case.json", case.to_string().as_bytes());
    let server = Server::start(&["--model-name", "embeddinggemma,text-embedding-3-small"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients.py");
    let url = format!("http://{}", server.host);
    let ran = Command::new(python).arg(script).args([&url, &case]).output().expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said.trim());
}
