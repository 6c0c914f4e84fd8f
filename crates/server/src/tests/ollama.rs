//! Ollama's routes.

use super::*;
use serde_json::json;

#[test]
fn embed_answers_under_the_name_that_was_asked_for() {
    let server = Running::new();
    let asked = json!({
        "model": "embeddinggemma", "input": ["a b", ""], "truncate": true, "dimensions": null,
        "keep_alive": "10m", "options": {"num_ctx": null, "seed": [1]},
    });
    let answer = server.good("/api/embed", &asked.to_string());
    assert_eq!(answer["model"], "embeddinggemma");
    let vectors: Vec<Vec<f32>> =
        answer["embeddings"].as_array().unwrap().iter().map(floats).collect();
    assert_eq!(vectors, ["a b", ""].map(|text| server.fake.vector(text, "", 8)));
    assert_eq!((&answer["prompt_eval_count"], &answer["load_duration"]), (&6.into(), &0.into()));
    assert!(answer["total_duration"].as_u64().unwrap() > 0);
    for (dimensions, n) in [(3, 3), (0, 8), (8, 8), (9, 8), (-1, 8)] {
        let asked =
            json!({"model": "m", "input": "a b", "dimensions": dimensions, "keep_alive": -1});
        let answer = server.good("/api/embed", &asked.to_string());
        assert_eq!(
            floats(&answer["embeddings"][0]),
            server.fake.vector("a b", "", n),
            "{dimensions}"
        );
    }
}

/// Clients load a model in this way.
#[test]
fn nothing_gives_nothing() {
    let server = Running::new();
    for asked in [
        r#"{"model": "m"}"#,
        r#"{"model": "m", "input": ""}"#,
        r#"{"input": []}"#,
        r#"{"input": null}"#,
    ] {
        assert_eq!(server.good("/api/embed", asked)["embeddings"], json!([]), "{asked}");
    }
    let answer = server.good("/api/embeddings", r#"{"model": "m", "prompt": ""}"#);
    assert_eq!(answer, json!({"embedding": []}));
}

#[test]
fn the_older_route_does_not_normalise() {
    let server = Running::new();
    let answer = server.good("/api/embeddings", r#"{"model": "m", "prompt": "a b"}"#);
    let row = crate::fake::row(&server.fake.encode_ids("a b"));
    assert_eq!(floats(&answer["embedding"]), row);
}

#[test]
fn the_model_is_listed() {
    let server = Running::with(|options| options.names = vec!["a".to_owned(), "b:v1".to_owned()]);
    for path in ["/api/tags", "/api/ps"] {
        let models = parsed(&server.get(path))["models"].clone();
        assert_eq!((&models[0]["name"], &models[1]["model"]), (&"a:latest".into(), &"b:v1".into()));
        assert_eq!(models[0]["modified_at"], "1970-01-01T00:00:00Z");
        assert_eq!(models[0]["details"]["parameter_size"], "1.23M");
    }
    let shown = server.good("/api/show", r#"{"model": "a"}"#);
    assert_eq!(shown["model_info"]["fake.context_length"], 64);
    assert_eq!(shown["capabilities"], json!(["embedding"]));
    assert_eq!(parsed(&server.get("/api/version")), json!({"version": "0.0.0"}));
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.client().ask("HEAD", "/", &[], &[]).status, 200);
}

#[test]
fn failures_are_ollamas() {
    let server = Running::with(|options| options.strict_model = true);
    let of = |path: &str, json: &str| {
        let answer = server.post(path, json);
        let body = parsed(&answer);
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        (answer.status, body["error"].as_str().unwrap().to_owned())
    };
    let expected = |status, error: &str| (status, error.to_owned());
    let invalid = expected(400, "invalid input type");
    assert_eq!(of("/api/embed", r#"{"input": 5}"#), invalid);
    assert_eq!(of("/api/embed", r#"{"input": [1]}"#), invalid);
    assert_eq!(of("/api/embed", r#"{"input": ["a", null]}"#), invalid);
    let long = json!({"input": "a ".repeat(100), "truncate": false}).to_string();
    assert_eq!(
        of("/api/embed", &long),
        expected(400, "the input length exceeds the context length")
    );
    let unknown = expected(404, "model 'x' not found");
    assert_eq!(of("/api/embed", r#"{"model": "x", "input": "a"}"#), unknown);
    assert_eq!(of("/api/show", r#"{"name": "x"}"#), unknown);
    assert_eq!(
        server.post("/api/embed", r#"{"model": "fake-1:latest", "input": "a"}"#).status,
        200
    );
    assert_eq!(of("/api/embed", "{").0, 400);
    assert_eq!(of("/api/embed", r#"{"input": "a fault"}"#).0, 500);
    assert_eq!(of("/api/chat", "{}").0, 404);
}
