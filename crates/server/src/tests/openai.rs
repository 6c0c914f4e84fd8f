//! OpenAI's routes.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

fn base64_floats(value: &Value) -> Vec<f32> {
    let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn every_form_has_the_same_bits() {
    let server = Running::new();
    let vector = server.fake.vector("Mars is red", "", 8);
    let answer = server.good("/v1/embeddings", r#"{"input": "Mars is red", "model": "any"}"#);
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], "fake-1");
    assert_eq!(answer["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    assert_eq!(answer["data"][0]["object"], "embedding");
    assert_eq!(answer["data"][0]["index"], 0);
    assert_eq!(floats(&answer["data"][0]["embedding"]), vector);
    assert!(answer.get("truncated").is_none());
    for path in ["/v1/embeddings", "/embeddings"] {
        let asked = r#"{"input": ["", "Mars is red"], "encoding_format": "base64", "user": "u"}"#;
        let answer = server.good(path, asked);
        assert_eq!(base64_floats(&answer["data"][1]["embedding"]), vector);
        let empty = server.fake.vector("", "", 8);
        assert_eq!(base64_floats(&answer["data"][0]["embedding"]), empty);
    }
}

#[test]
fn options_are_obeyed() {
    let server = Running::new();
    let of = |json: &str| floats(&server.good("/v1/embeddings", json)["data"][0]["embedding"]);
    let fake = |prefix, n| server.fake.vector("a b", prefix, n);
    assert_eq!(of(r#"{"input": "a b", "dimensions": 3}"#), fake("", 3));
    assert_eq!(of(r#"{"input": "a b", "prompt_name": "Query"}"#), fake("q: ", 8));
    assert_eq!(of(r#"{"input": "a b", "input_type": "search_document"}"#), fake("d: ", 8));
    assert_eq!(of(r#"{"input": "a b", "prompt": "own "}"#), fake("own ", 8));
    assert_eq!(of(r#"{"input": "a b", "prompt_name": null, "dimensions": null}"#), fake("", 8));
}

#[test]
fn the_server_has_defaults() {
    let server = Running::with(|options| {
        options.prompt = crate::Prompt { name: "document".to_owned(), prefix: "d: ".to_owned() };
        options.truncate = crate::Truncate::None;
        options.names = vec!["a".to_owned(), "b".to_owned()];
    });
    let of = |json: &str| floats(&server.good("/v1/embeddings", json)["data"][0]["embedding"]);
    assert_eq!(of(r#"{"input": "x"}"#), server.fake.vector("x", "d: ", 8));
    assert_eq!(of(r#"{"input": "x", "prompt": ""}"#), server.fake.vector("x", "", 8));
    let long = format!(r#"{{"input": "{}"}}"#, "x ".repeat(100));
    assert_eq!(server.post("/v1/embeddings", &long).status, 400);
    let models = parsed(&server.get("/v1/models"));
    assert_eq!(models["data"][1]["id"], "b");
    assert_eq!(parsed(&server.get("/models/b"))["owned_by"], "monomorph");
    assert_eq!(server.get("/v1/models/c").status, 404);
}

#[test]
fn cuts_are_told() {
    let server = Running::new();
    let long = "x ".repeat(100);
    let asked = json!({"input": ["a", long]}).to_string();
    let answer = server.post("/v1/embeddings", &asked);
    assert_eq!(answer.header("x-truncated-texts"), Some("1"));
    assert_eq!(parsed(&answer)["truncated"], json!([{"index": 1, "dropped": 38}]));
    assert_eq!(parsed(&answer)["usage"]["total_tokens"], 3 + 64);
}

#[test]
fn ids_are_taken_if_the_server_says_so() {
    let server = Running::with(|options| options.token_ids = true);
    let by_ids = |ids: &str| server.post("/v1/embeddings", &format!(r#"{{"input": {ids}}}"#));
    let text = server.fake.encode_ids("a b");
    let vector = server.fake.vector("a b", "", 8);
    for ids in [json!(text), json!([text])] {
        let answer = parsed(&by_ids(&ids.to_string()));
        assert_eq!(floats(&answer["data"][0]["embedding"]), vector);
        assert_eq!(answer["usage"]["total_tokens"], 4);
    }
    for bad in ["[[]]", "[1000]", "[[1], [1000]]", "[4294967296]", "[-1]"] {
        let answer = by_ids(bad);
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(parsed(&answer)["error"]["param"], "input", "{bad}");
    }
    let long = format!("[{}1]", "1,".repeat(64));
    assert_eq!(parsed(&by_ids(&long))["error"]["code"], "context_length_exceeded");
}

#[test]
fn answers_say_how_they_were_made() {
    let server = Running::new();
    let answer = server.client().ask(
        "POST",
        "/v1/embeddings",
        &["x-request-id: mine-1", "Content-Type: text/plain"],
        r#"{"input": ["ä b", "c"], "dimensions": 4, "prompt_name": "query"}"#.as_bytes(),
    );
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    assert_eq!(answer.header("x-embedding-space"), Some("fake-1/0123456789abcdef/4/query"));
    assert_eq!(answer.header("x-compute-type"), Some("cpu"));
    assert_eq!(answer.header("x-compute-characters"), Some("4"));
    assert_eq!(answer.header("x-compute-tokens"), Some("9"));
    for name in [
        "x-compute-time",
        "x-total-time",
        "x-tokenization-time",
        "x-queue-time",
        "x-inference-time",
    ] {
        assert!(answer.header(name).unwrap().parse::<u64>().is_ok(), "{name}");
    }
    let timing = answer.header("server-timing").unwrap();
    assert!(timing.starts_with("tokenization;dur=") && timing.contains(", inference;dur="));
    let made = server.post("/v1/embeddings", r#"{"input": "a"}"#);
    assert!(!made.header("x-request-id").unwrap().is_empty());
    let surprising = server.client().ask("GET", "/health", &["x-request-id: a b"], &[]);
    assert_ne!(surprising.header("x-request-id"), Some("a b"));
}

/// Clients of all kinds at once: each text gets its own bits.
#[test]
fn company_changes_no_bit() {
    let server = Running::new();
    std::thread::scope(|scope| {
        for client in 0..64 {
            let server = &server;
            scope.spawn(move || {
                let mut connection = server.client();
                for round in 0..8 {
                    let texts: Vec<String> =
                        (0..1 + client % 7).map(|i| format!("text {client} {round} {i}")).collect();
                    let is_base64 = client % 2 == 0;
                    let form = if is_base64 { "base64" } else { "float" };
                    let asked = json!({"input": texts, "encoding_format": form});
                    let answer = parsed(&connection.post("/v1/embeddings", &asked.to_string()));
                    for (i, text) in texts.iter().enumerate() {
                        let found = &answer["data"][i]["embedding"];
                        let found = if is_base64 { base64_floats(found) } else { floats(found) };
                        assert_eq!(found, server.fake.vector(text, "", 8));
                    }
                }
            });
        }
    });
}
