//! A row for each token.

use super::*;
use crate::fake::token_row;
use serde_json::json;

/// The rows of an answer: texts, tokens, values.
fn rows(answer: &Value) -> Vec<Vec<Vec<f32>>> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    list(answer).iter().map(|text| list(text).iter().map(floats).collect()).collect()
}

fn expected(server: &Running, texts: &[&str]) -> Vec<Vec<Vec<f32>>> {
    let ids = |text: &&str| server.fake.encode_ids(text);
    texts
        .iter()
        .map(|text| ids(text).into_iter().map(|id| token_row(id).to_vec()).collect())
        .collect()
}

#[test]
fn every_token_has_a_row() {
    let server = Running::new();
    let texts = ["a b c", "", "d"];
    let answer = server.good("/embed_all", &json!({"inputs": texts}).to_string());
    assert_eq!(rows(&answer), expected(&server, &texts));
    // One text is also a list of one.
    let answer = server.post("/embed_all", r#"{"inputs": "a b", "prompt_name": "query"}"#);
    assert_eq!(rows(&parsed(&answer)), expected(&server, &["q: a b"]));
    assert_eq!(answer.header("x-compute-tokens"), Some("5"));
    assert_eq!(answer.header("x-embedding-space"), Some("fake-1/0123456789abcdef/tokens/query"));
    let answer = server.good("/embed_all", r#"{"inputs": [[2, 7, 1]]}"#);
    assert_eq!(rows(&answer)[0].len(), 3);
}

/// Requests for vectors and for tokens share passes.
#[test]
fn rows_and_vectors_do_not_mix() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let texts = ["a", "b c", "d e f"];
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.good("/embed", r#"{"inputs": "first"}"#));
        server.fake.wait_for_passes(6);
        let all: Vec<_> = (0..3)
            .map(|i| {
                let (server, text) = (&server, texts[i]);
                scope.spawn(move || {
                    let body = json!({"inputs": [text, text]}).to_string();
                    let vectors = server.good("/embed", &body);
                    (server.good("/embed_all", &body), vectors)
                })
            })
            .collect();
        wait_until(|| server.metric("monomorph_queue_requests") == 3.0);
        server.fake.hold(false);
        first.join().unwrap();
        for (thread, text) in all.into_iter().zip(texts) {
            let (tokens, vectors) = thread.join().unwrap();
            assert_eq!(rows(&tokens), expected(&server, &[text, text]));
            let vector = server.fake.vector(text, "", 8);
            let found: Vec<Vec<f32>> = vectors.as_array().unwrap().iter().map(floats).collect();
            assert_eq!(found, [vector.clone(), vector]);
        }
    });
}

#[test]
fn rows_have_a_limit() {
    let server = Running::with(|options| options.limits.bodies = 4000);
    assert_eq!(server.post("/embed_all", r#"{"inputs": "a b c"}"#).status, 200);
    let texts = vec!["a b c d e f g h"; 30];
    // 300 rows of 16 bytes are more than there may be at once.
    let answer = server.post("/embed_all", &json!({"inputs": texts}).to_string());
    assert_eq!(answer.status, 429);
    assert_eq!(server.post("/embed_all", r#"{"inputs": []}"#).status, 400);
    assert_eq!(server.post("/embed_all", r#"{"inputs": 5}"#).status, 422);
}
