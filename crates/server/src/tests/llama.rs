//! llama-server's routes.

use super::*;
use serde_json::json;

#[test]
fn each_vector_is_a_matrix_of_one_row() {
    let server = Running::new();
    let item = |index: usize, text: &str| {
        let vector: Vec<f64> = server
            .fake
            .vector(text, "", 8)
            .iter()
            .map(|x| x.to_string().parse().unwrap())
            .collect();
        json!({"index": index, "embedding": [vector]})
    };
    for path in ["/embedding", "/embeddings"] {
        assert_eq!(server.good(path, r#"{"content": "a b"}"#), json!([item(0, "a b")]), "{path}");
        let asked = r#"{"content": ["a b", "c"], "embd_normalize": 2}"#;
        assert_eq!(server.good(path, asked), json!([item(0, "a b"), item(1, "c")]), "{path}");
        let raw = server.good(path, r#"{"content": "a b", "embd_normalize": -1}"#);
        let row = crate::fake::row(&server.fake.encode_ids("a b"));
        assert_eq!(floats(&raw[0]["embedding"][0]), row);
        assert_eq!(server.post(path, r#"{"content": "a", "embd_normalize": 7}"#).status, 400);
        assert_eq!(server.post(path, r#"{}"#).status, 400);
    }
    assert_eq!(server.good("/embedding", r#"{"input": "a b"}"#), json!([item(0, "a b")]));
    // With `input`, the route that is shared answers as OpenAI does.
    assert_eq!(server.good("/embeddings", r#"{"input": "a", "content": "b"}"#)["object"], "list");
}

#[test]
fn tokens_come_back() {
    let server = Running::new();
    let ids = server.fake.encode_ids("a b");
    let plain = server.good("/tokenize", r#"{"content": "a b"}"#);
    assert_eq!(plain, json!({"tokens": ids[1..3]}));
    let marked = server.good("/tokenize", r#"{"content": "a b", "add_special": true}"#);
    assert_eq!(marked, json!({"tokens": ids}));
    let pieces = server.good("/tokenize", r#"{"content": "a", "with_pieces": true}"#);
    assert_eq!(pieces, json!({"tokens": [{"id": ids[1], "piece": "a"}]}));
    assert_eq!(server.good("/detokenize", r#"{"tokens": [5, 6]}"#), json!({"content": "5 6"}));
}
