//! Every cause of a failure: the status and the shape that clients of each family are told it in.

use super::*;
use serde_json::json;
use std::time::Duration;

const OPENAI: &str = "/v1/embeddings";

/// OpenAI's `type`, `param` and `code`.
fn open_ai(answer: &Answer) -> (u16, String, Value, Value) {
    let body = parsed(answer);
    let error = body["error"].as_object().unwrap();
    assert_eq!(error.len(), 4, "{error:?}");
    assert!(!error["message"].as_str().unwrap().is_empty());
    let kind = error["type"].as_str().unwrap().to_owned();
    (answer.status, kind, error["param"].clone(), error["code"].clone())
}

fn refused(server: &Running, json: &str) -> (u16, Value, Value) {
    let (status, kind, param, code) = open_ai(&server.post(OPENAI, json));
    assert_eq!(kind, "invalid_request_error");
    (status, param, code)
}

#[test]
fn what_is_wrong_with_a_request_is_told() {
    let server = Running::with(|options| {
        options.strict_model = true;
        options.limits.batch = 3;
        options.limits.request_tokens = 100;
        options.limits.body = 4096;
    });
    let long = "x ".repeat(100);
    let cases = [
        ("{", 400, json!(null), json!(null)),
        ("", 400, json!(null), json!(null)),
        ("[]", 400, json!(null), json!(null)),
        ("{}", 400, json!("input"), json!(null)),
        (r#"{"input": null}"#, 400, json!("input"), json!(null)),
        (r#"{"input": []}"#, 400, json!("input"), json!(null)),
        (r#"{"input": 5}"#, 400, json!("input"), json!(null)),
        (r#"{"input": "a", "input": "b"}"#, 400, json!(null), json!(null)),
        (r#"{"input": [1, 2]}"#, 400, json!("input"), json!("token_ids_not_accepted")),
        (r#"{"input": ["a", "b", "c", "d"]}"#, 400, json!("input"), json!(null)),
        (r#"{"input": "a", "dimensions": 0}"#, 400, json!("dimensions"), json!(null)),
        (r#"{"input": "a", "dimensions": 9}"#, 400, json!("dimensions"), json!(null)),
        (r#"{"input": "a", "dimensions": 1e30}"#, 400, json!("dimensions"), json!(null)),
        (r#"{"input": "a", "encoding_format": "hex"}"#, 400, json!("encoding_format"), json!(null)),
        (r#"{"input": "a", "prompt_name": "poem"}"#, 400, json!("prompt_name"), json!(null)),
        (r#"{"input": "a", "input_type": "poem"}"#, 400, json!("prompt_name"), json!(null)),
        (
            r#"{"input": "a", "prompt": "p", "prompt_name": "query"}"#,
            400,
            json!("prompt"),
            json!(null),
        ),
        (r#"{"input": "a", "model": "other"}"#, 404, json!("model"), json!("model_not_found")),
    ];
    for (body, status, param, code) in cases {
        assert_eq!(refused(&server, body), (status, param, code), "{body}");
    }
    let body = json!({"input": long, "truncate": false}).to_string();
    assert_eq!(refused(&server, &body), (400, json!(null), json!("context_length_exceeded")));
    let body = json!({"input": [long, long]}).to_string();
    assert_eq!(refused(&server, &body), (413, json!(null), json!("request_too_large")));
    let body = json!({"input": "x".repeat(5000)}).to_string();
    let answer = server.post(OPENAI, &body);
    assert_eq!(open_ai(&answer).0, 413);
    assert_eq!(answer.header("connection"), Some("close"));
    // Nothing was computed but the calibration.
    server.calibrated();
    assert_eq!(server.fake.passes().len(), 5);
    assert_eq!(server.metric("te_request_failure{err=\"validation\"}"), 19.0);
    assert_eq!(server.metric("te_request_failure{err=\"batch_size\"}"), 1.0);
}

#[test]
fn the_number_of_texts_is_told_in_the_words_that_clients_know() {
    let server = Running::new();
    let texts = vec!["a"; 3000];
    let answer = server.post(OPENAI, &json!({"input": texts}).to_string());
    let expected = "batch size 3000 > maximum allowed batch size 2048";
    assert_eq!(parsed(&answer)["error"]["message"], expected);
    // Reading stops long before the end.
    let body = format!("{{\"input\": [{}\"\"]}}", "\"\",".repeat(3_000_000));
    assert_eq!(server.post(OPENAI, &body).status, 400);
}

#[test]
fn faults_are_told_and_not_to_be_tried_again() {
    let server = Running::new();
    for (text, label) in [("a nan", "not finite"), ("a fault", "a fault"), ("a panic", "panicked")]
    {
        let answer = server.post(OPENAI, &json!({"input": ["fine", text]}).to_string());
        let (status, kind, _, _) = open_ai(&answer);
        assert_eq!((status, kind.as_str()), (500, "server_error"));
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        assert!(answer.text().contains(label), "{}", answer.text());
    }
    assert_eq!(server.get("/health").status, 200);
    let answer = server.post(OPENAI, r#"{"input": "broken"}"#);
    assert_eq!(open_ai(&answer).0, 503);
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(server.get(path).status, 503, "{path}");
    }
}

#[test]
fn too_much_work_is_refused_at_once() {
    let server = Running::with(|options| options.limits.wait = Duration::from_millis(100));
    server.calibrated();
    server.fake.hold(true);
    let bulk = json!({"input": vec!["a b c d e f g h"; 100]}).to_string();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.post(OPENAI, &bulk).status);
        server.fake.wait_for_passes(6);
        let answer = server.post(OPENAI, &bulk);
        let (status, kind, _, code) = open_ai(&answer);
        assert_eq!((status, kind.as_str(), code), (429, "rate_limit_error", json!("overloaded")));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("retry-after-ms"), Some("1000"));
        // A short request does not wait for the bulk.
        let short = scope.spawn(|| server.post(OPENAI, r#"{"input": "a"}"#).status);
        std::thread::sleep(Duration::from_millis(20));
        server.fake.hold(false);
        assert_eq!((first.join().unwrap(), short.join().unwrap()), (200, 200));
    });
    assert_eq!(server.metric("monomorph_rejected_total{reason=\"overloaded\"}"), 1.0);
}

#[test]
fn time_is_bounded() {
    let server = Running::with(|options| options.limits.timeout = Duration::from_millis(300));
    server.calibrated();
    server.fake.hold(true);
    let answer = server.post(OPENAI, r#"{"input": "a"}"#);
    let (status, _, _, code) = open_ai(&answer);
    assert_eq!((status, code), (504, json!("timeout")));
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    // The pass was cancelled, so that the engine is free.
    server.fake.hold(false);
    server.good(OPENAI, r#"{"input": "a"}"#);
}

#[test]
fn a_client_that_leaves_takes_its_texts_along() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let mut leaving = server.client();
    let body = json!({"input": vec!["a b c d e f g h"; 200]}).to_string();
    leaving.send(
        format!(
            "POST {OPENAI} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    server.fake.wait_for_passes(6);
    drop(leaving);
    // Its pass is cancelled although nobody lets it go on, and nothing of it waits any more.
    wait_until(|| server.metric("monomorph_cancelled_texts_total") == 200.0);
    server.fake.hold(false);
    server.good(OPENAI, r#"{"input": "a"}"#);
    assert_eq!(server.metric("te_request_failure{err=\"dropped\"}"), 1.0);
    assert_eq!(server.metric("monomorph_queue_texts"), 0.0);
}

#[test]
fn what_is_no_route_is_json_too() {
    let server = Running::new();
    assert_eq!(open_ai(&server.get("/v1/nothing")).0, 404);
    assert_eq!(open_ai(&server.post("/v1/chat/completions", "{}")).0, 404);
    let answer = server.get(OPENAI);
    assert_eq!(open_ai(&answer).0, 405);
    assert_eq!(answer.header("allow"), Some("POST"));
    let multipart = ["Content-Type: multipart/form-data; boundary=x"];
    let answer = server.client().ask("POST", OPENAI, &multipart, b"--x");
    assert_eq!(open_ai(&answer).0, 415);
    let compressed = ["Content-Encoding: gzip"];
    assert_eq!(open_ai(&server.client().ask("POST", OPENAI, &compressed, b"x")).0, 415);
    assert_eq!(parsed(&server.get("/api/nothing")).as_object().unwrap().len(), 1);
    let tei = parsed(&server.ask_delete("/embed"));
    assert_eq!(tei["error_type"], "Validation");
}

impl Running {
    fn ask_delete(&self, path: &str) -> Answer {
        self.client().ask("DELETE", path, &[], &[])
    }
}

/// Where a long request would be refused for what waits, its body is not even parsed; others are, as ever.
#[test]
fn what_must_be_refused_is_not_parsed() {
    let server = Running::with(|options| options.limits.wait = Duration::from_secs(1));
    server.calibrated();
    server.fake.hold(true);
    let texts = vec!["x ".repeat(60); 200];
    let mut bulk = server.client();
    let body = json!({"inputs": texts}).to_string();
    bulk.begin("POST", "/embed", &[], body.as_bytes());
    wait_until(|| server.metric("monomorph_queue_texts") > 100.0);
    // Two hundred tokens at least, and no JSON.
    let no_json = "x".repeat(24 * 200);
    for path in [OPENAI, "/embed", "/embed_all", "/similarity", "/", "/embedding"] {
        let answer = server.post(path, &no_json);
        assert_eq!(answer.status, 429, "{path}");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(server.post("/api/embed", &no_json).status, 503);
    // On a connection that stays open.
    let mut client = server.client();
    for _ in 0..2 {
        assert_eq!(client.post(OPENAI, &no_json).status, 429);
    }
    // What may be short, and what gives the engine no work.
    assert_eq!(server.post(OPENAI, &no_json[..24 * 190]).status, 400);
    assert_eq!(server.post("/tokenize", &no_json).status, 400);
    server.fake.hold(false);
    assert_eq!(bulk.answer(true).status, 200);
    assert_eq!(server.post(OPENAI, &no_json).status, 400);
}
