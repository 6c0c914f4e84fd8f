//! The clients that people have, from PyPI, against the binary: their vectors must be the library's.
//!
//! Runs where `environment` says.

use std::path::Path;

use monomorph::{EmbedOptions, Embedder};
use serde_json::json;

use super::environment::{is_asked_for, python, say};
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
