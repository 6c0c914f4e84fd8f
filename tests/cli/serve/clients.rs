//! The clients that people have, from PyPI and npm, against the binary: their vectors must be the library's.
//!
//! Runs where `environment` says.

use std::path::Path;

use monomorph::{EmbedOptions, Embedder};
use serde_json::json;

use super::environment::{is_asked_for, node_package, python, say};
use super::*;

const PACKAGES: [&str; 12] = [
    "chromadb",
    "haystack-ai",
    "huggingface_hub",
    "langchain-ollama",
    "langchain-openai",
    "litellm",
    "llama-index-embeddings-ollama",
    "llama-index-embeddings-openai",
    "llama-index-embeddings-openai-like",
    "llama-index-embeddings-text-embeddings-inference",
    "ollama",
    "openai",
];

#[test]
fn real_clients_get_the_librarys_bits() {
    if !is_asked_for(&[]) {
        return;
    }
    let python = match python("clients-venv", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let folder = Folder::new("clients");
    let case = folder.write("case.json", case().to_string().as_bytes());
    let server = Server::start(&["--model-name", "embeddinggemma,text-embedding-3-small"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients.py");
    let url = format!("http://{}", server.host);
    let ran = Command::new(python).arg(script).args([&url, &case]).output().expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said.trim());
}

/// It asks for base64 unless it is told otherwise, and decodes whatever comes as that.
#[test]
fn the_client_for_node_gets_the_librarys_bits() {
    if !is_asked_for(&["node", "npm"]) {
        return;
    }
    let package = match node_package("clients-node", "openai") {
        Ok(package) => package,
        Err(reason) => return say(&format!("SKIPPED: no package for Node: {reason}")),
    };
    let folder = Folder::new("clients-node");
    let case = folder.write("case.json", case().to_string().as_bytes());
    let server = Server::start(&[]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients.mjs");
    let url = format!("http://{}", server.host);
    let ran = Command::new("node").arg(script).arg(package).args([&url, &case]).output();
    let ran = ran.expect("Node starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said.trim());
}

/// The README's search over ten texts, as it stands there but for the port.
#[test]
fn the_readmes_search_runs() {
    if !is_asked_for(&[]) {
        return;
    }
    let python = match python("clients-venv", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the README");
    let mut examples = readme.split("```python\n").filter_map(|rest| rest.split("```").next());
    let example = examples.find(|code| code.contains("openai.OpenAI(")).expect("the example");
    assert!(example.contains("http://127.0.0.1:8080/"), "{example}");
    let server = Server::start(&[]);
    let example = example.replace("127.0.0.1:8080", &server.host);
    let ran = Command::new(python).args(["-c", &example]).current_dir(root).output();
    let ran = ran.expect("Python starts");
    let found = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let texts = std::fs::read_to_string(root.join("testdata/amendments.jsonl")).expect("the texts");
    let texts: Vec<Value> =
        texts.lines().take(10).map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let place = texts.iter().position(|line| line["text"] == *found.trim_end());
    let place = place.unwrap_or_else(|| panic!("not one of the ten: {found}"));
    if monomorph::built::IS_DEFAULT_MODEL {
        assert_eq!(place, 2, "{found}");
    }
    say(&format!("README: its search finds {}", texts[place]["id"]));
}

/// Texts, and the library's vectors of them.
pub fn case() -> Value {
    let texts = ["Mars is red.", "Which planet is red?", "\u{e9}t\u{e9}, \u{4f60}\u{597d}"];
    let embedder = Embedder::open_built().expect("the model of the build");
    let expected = |prompt: Option<&str>| -> Vec<Vec<f32>> {
        let prompt = prompt.and_then(|name| embedder.prompt(name).ok());
        let options = EmbedOptions { prompt, ..Default::default() };
        let embeddings = embedder.run(&texts, &options).expect("vectors");
        embeddings.into_iter().map(|embedding| embedding.vector).collect()
    };
    let query = embedder.prompt("query").is_ok().then_some("query");
    json!({
        "texts": texts, "vectors": expected(None), "query": query, "query_vectors": expected(query),
    })
}
