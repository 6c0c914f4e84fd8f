//! TEI's routes.

use super::*;
use serde_json::json;

fn rows(answer: &Value) -> Vec<Vec<f32>> {
    answer.as_array().unwrap().iter().map(floats).collect()
}

#[test]
fn embed_takes_every_form() {
    let server = Running::new();
    let fake = |text, prefix, n| server.fake.vector(text, prefix, n);
    for path in ["/embed", "/", "/invocations"] {
        let of = |json: &str| rows(&server.good(path, json));
        assert_eq!(of(r#"{"inputs": "a b"}"#), [fake("a b", "", 8)], "{path}");
        assert_eq!(of(r#"{"inputs": ["a b", ""]}"#), [fake("a b", "", 8), fake("", "", 8)]);
        let ids = server.fake.encode_ids("a b");
        assert_eq!(of(&json!({"inputs": ids}).to_string()), [fake("a b", "", 8)]);
        assert_eq!(of(&json!({"inputs": [ids, [5]]}).to_string())[0], fake("a b", "", 8));
        assert_eq!(of(r#"{"inputs": "a", "prompt_name": "query"}"#), [fake("a", "q: ", 8)]);
        assert_eq!(of(r#"{"inputs": "a", "dimensions": 2}"#), [fake("a", "", 2)]);
        let raw = of(r#"{"inputs": "a b", "normalize": false}"#);
        assert_eq!(raw, [crate::fake::row(&ids)]);
    }
    let answer = server.post("/embed", r#"{"inputs": "a b"}"#);
    assert_eq!(answer.header("x-compute-tokens"), Some("4"));
}

#[test]
fn long_texts_are_cut_at_the_end_that_is_asked_for() {
    let server = Running::new();
    let words: Vec<String> = (0..100).map(|i| format!("w{i}")).collect();
    let of = |json: Value| {
        let answer = server.post("/embed", &json.to_string());
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap())
    };
    let (text, first, last) = (words.join(" "), words[..62].join(" "), words[38..].join(" "));
    let vector = |text: &str| server.fake.vector(text, "", 8);
    for (direction, kept) in
        [("Right", &first), ("right", &first), ("Left", &last), ("left", &last)]
    {
        let (_, answer) = of(json!({"inputs": text, "truncation_direction": direction}));
        assert_eq!(rows(&answer), [vector(kept)], "{direction}");
    }
    let (status, answer) = of(json!({"inputs": text, "truncate": false}));
    assert_eq!((status, &answer["error_type"]), (422, &"Validation".into()));
    assert_eq!(of(json!({"inputs": "a", "truncation_direction": "up"})).0, 422);
}

#[test]
fn similarity_compares_with_the_source() {
    let server = Running::new();
    let dot = |a: Vec<f32>, b: Vec<f32>| a.iter().zip(&b).map(|(a, b)| a * b).sum::<f32>();
    let fake = |text, prefix| server.fake.vector(text, prefix, 8);
    let pairs = json!({"source_sentence": "q", "sentences": ["a", "b"]});
    for path in ["/similarity", "/"] {
        let plain = server.good(path, &json!({"inputs": pairs}).to_string());
        let expected = ["a", "b"].map(|text| dot(fake("q", ""), fake(text, "")));
        assert_eq!(floats(&plain), expected);
    }
    let of = |parameters: Value| {
        let asked = json!({"inputs": pairs, "parameters": parameters});
        floats(&server.good("/similarity", &asked.to_string()))
    };
    let same = ["a", "b"].map(|text| dot(fake("q", "q: "), fake(text, "q: ")));
    assert_eq!(of(json!({"prompt_name": "query"})), same);
    let roles = ["a", "b"].map(|text| dot(fake("q", "q: "), fake(text, "d: ")));
    assert_eq!(of(json!({"retrieval": true})), roles);
    let empty = r#"{"inputs": {"source_sentence": "q", "sentences": []}}"#;
    assert_eq!(parsed(&server.post("/similarity", empty))["error_type"], "Empty");
}

#[test]
fn tokens_have_their_places() {
    let server = Running::new();
    let tokens = server.good("/tokenize", r#"{"inputs": ["ä b", ""]}"#);
    let word = |text: &str, start: usize| {
        let id = server.fake.encode_ids(text)[1];
        json!({"id": id, "text": text, "special": false, "start": start, "stop": start + text.len()})
    };
    let mark = |id: u32| json!({"id": id, "text": format!("<{id}>"), "special": true, "start": null, "stop": null});
    assert_eq!(tokens, json!([[mark(2), word("ä", 0), word("b", 3), mark(1)], [mark(2), mark(1)]]));
    let bare = server.good("/tokenize", r#"{"inputs": "b", "add_special_tokens": false}"#);
    assert_eq!(bare, json!([[word("b", 0)]]));
    let prompted = server.good("/tokenize", r#"{"inputs": "b", "prompt_name": "query"}"#);
    assert_eq!(prompted[0][2], word("b", 3));
    assert_eq!(server.good("/decode", r#"{"ids": [[2, 5, 1], [6]]}"#), json!(["5", "6"]));
    let all = r#"{"ids": [2, 5, 1], "skip_special_tokens": false}"#;
    assert_eq!(server.good("/decode", all), json!(["2 5 1"]));
}

#[test]
fn info_describes_the_model() {
    let server = Running::new();
    let info = parsed(&server.get("/info"));
    assert_eq!(info["model_id"], "fake-1");
    assert_eq!(info["model_type"]["embedding"]["pooling"], "mean");
    assert_eq!(
        (&info["max_input_length"], &info["max_client_batch_size"]),
        (&64.into(), &2048.into())
    );
    assert_eq!((&info["dimensions"], &info["prompts"]["query"]), (&8.into(), &"q: ".into()));
}

#[test]
fn failures_are_teis() {
    let server = Running::with(|options| options.limits.batch = 2);
    let of = |path: &str, json: &str| {
        let answer = server.post(path, json);
        let body = parsed(&answer);
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        (answer.status, body["error_type"].as_str().unwrap().to_owned())
    };
    let expected = |status, kind: &str| (status, kind.to_owned());
    assert_eq!(of("/embed", "{"), expected(400, "Validation"));
    assert_eq!(of("/embed", "{}"), expected(422, "Validation"));
    assert_eq!(of("/embed", r#"{"inputs": []}"#), expected(400, "Empty"));
    assert_eq!(of("/embed", r#"{"inputs": 5}"#), expected(422, "Validation"));
    assert_eq!(of("/embed", r#"{"inputs": "a", "prompt_name": "x"}"#), expected(422, "Validation"));
    assert_eq!(of("/embed", r#"{"inputs": "a", "dimensions": 0}"#), expected(422, "Validation"));
    assert_eq!(of("/embed", r#"{"inputs": ["a", "b", "c"]}"#), expected(422, "Validation"));
    assert_eq!(of("/embed", r#"{"inputs": "a fault"}"#), expected(424, "Backend"));
    assert_eq!(of("/tokenize", r#"{"inputs": [1]}"#), expected(422, "Validation"));
    assert_eq!(of("/tokenize", r#"{"inputs": []}"#), expected(400, "Empty"));
    assert_eq!(of("/decode", r#"{"ids": ["a"]}"#), expected(422, "Validation"));
    for path in ["/embed_sparse", "/rerank", "/predict", "/generate"] {
        assert_eq!(of(path, "{}"), expected(424, "Backend"), "{path}");
    }
}
