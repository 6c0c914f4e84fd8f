//! Sends any bytes as a body to a route of a server of the tiny model: they are answered, or refused in the shape of
//! the route's family, and never make the server fail.

#![no_main]

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};
use std::thread;

use libfuzzer_sys::fuzz_target;
use monomorph::Embedder;
use monomorph_fuzz::server::engine::Model;
use monomorph_server::{Address, Options, Server};
use monomorph_testing::http::{Answer, Client};
use serde_json::Value;

/// Every route that takes a body.
const ROUTES: [&str; 14] = [
    "/v1/embeddings",
    "/embeddings",
    "/embed",
    "/embed_all",
    "/similarity",
    "/invocations",
    "/",
    "/tokenize",
    "/decode",
    "/detokenize",
    "/embedding",
    "/api/embed",
    "/api/embeddings",
    "/api/show",
];

/// Where the server listens. It runs as long as the process.
static HOST: LazyLock<String> = LazyLock::new(|| {
    let embedder = Embedder::options().threads(1).open_built().expect("the model of the build");
    let mut options = Options::new("fuzz");
    options.address = Address::Tcp { host: "127.0.0.1".to_owned(), port: 0 };
    options.token_ids = true;
    // Faults are looked for in what reads bodies, not in what computes vectors.
    options.limits.request_tokens = 500;
    let server = Server::bind(Arc::new(Model::new(embedder)), options).expect("a server");
    let host = server.address().to_string().split_off("http://".len());
    thread::spawn(move || server.run());
    host
});

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

// The first byte chooses the route.
fuzz_target!(|bytes: &[u8]| {
    let Some((route, body)) = bytes.split_first() else { return };
    let path = ROUTES[usize::from(*route) % ROUTES.len()];
    let answer = CLIENT.with_borrow_mut(|client| {
        let open = client.get_or_insert_with(|| Client::connect(&HOST));
        let answer = open.ask("POST", path, &[], body);
        if answer.header("connection") == Some("close") {
            *client = None;
        }
        answer
    });
    assert!(is_proper(path, &answer), "{path}: {} {}", answer.status, answer.text());
});

fn is_proper(path: &str, answer: &Answer) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let is_told = match path {
        "/v1/embeddings" | "/embeddings" | "/embedding" | "/detokenize" => {
            body["error"]["message"].is_string()
        }
        path if path.starts_with("/api/") => body["error"].is_string(),
        _ => body["error"].is_string() && body["error_type"].is_string(),
    };
    answer.status == 200 || ((400..424).contains(&answer.status) && is_told)
}
