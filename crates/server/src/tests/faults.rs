//! What clients send that is wrong: it is refused in the shape of its route's family, and harms nobody else.

use super::*;
use crate::failure::Family;
use monomorph_testing::Random;
use serde_json::json;

/// Every route that takes a body, with one that it takes.
const BODIES: [(&str, &str); 14] = [
    ("/v1/embeddings", r#"{"input": ["a", "b c"], "dimensions": 4, "encoding_format": "base64"}"#),
    ("/embeddings", r#"{"content": ["a", "b"]}"#),
    ("/embed", r#"{"inputs": ["a", "b"], "truncate": true, "prompt_name": "query"}"#),
    ("/embed_all", r#"{"inputs": "a b c", "truncation_direction": "Left"}"#),
    ("/similarity", r#"{"inputs": {"source_sentence": "a", "sentences": ["b", "c"]}}"#),
    ("/invocations", r#"{"inputs": [[2, 5, 1], [2, 6, 1]]}"#),
    ("/", r#"{"inputs": {"source_sentence": "a", "sentences": "b"}, "parameters": {}}"#),
    ("/tokenize", r#"{"inputs": ["a b", "c"], "add_special_tokens": false}"#),
    ("/decode", r#"{"ids": [[2, 5, 1]], "skip_special_tokens": true}"#),
    ("/detokenize", r#"{"tokens": [5, 6]}"#),
    ("/embedding", r#"{"content": "a", "embd_normalize": -1}"#),
    ("/api/embed", r#"{"model": "m", "input": ["a"], "options": {"num_ctx": null}}"#),
    ("/api/embeddings", r#"{"model": "m", "prompt": "a"}"#),
    ("/api/show", r#"{"model": "m"}"#),
];

/// Whether an answer is good, or a refusal in the shape of its family.
fn is_proper(path: &str, answer: &Answer) -> bool {
    let body = parsed(answer);
    let shaped = match Family::of(path) {
        Family::OpenAi => body["error"]["message"].is_string(),
        Family::Tei => body["error"].is_string() && body["error_type"].is_string(),
        Family::Ollama => body["error"].is_string(),
    };
    answer.status == 200 || ((400..500).contains(&answer.status) && shaped)
}

#[test]
fn bodies_that_cannot_be_meant_are_refused() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let field = |value: &str| {
        format!(
            r#"{{"input": {value}, "inputs": {value}, "content": {value}, "ids": {value}, "tokens": {value}, "prompt": {value}, "model": {value}}}"#
        )
        .into_bytes()
    };
    let mut bad: Vec<Vec<u8>> = [
        "\"\\ud800\"",
        "NaN",
        "1e999",
        "[1e999]",
        "-1",
        "[99999999999999999999999]",
        "{}",
        "true",
        "[{}]",
        "[[[1]]]",
        "[\"a\", 1]",
        &deep,
    ]
    .into_iter()
    .map(field)
    .collect();
    bad.extend([
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe{}".to_vec(),
    ]);
    bad.push(field("\"\u{0}\""));
    let no_utf8 = field("\"\u{1}\"").into_iter().map(|byte| if byte == 1 { 0xff } else { byte });
    bad.push(no_utf8.collect());
    let server = Running::new();
    for (path, good) in BODIES {
        let mut client = server.client();
        assert_eq!(client.ask("POST", path, &[], good.as_bytes()).status, 200, "{path}");
        for body in &bad {
            let answer = client.ask("POST", path, &[], body);
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
            assert!(
                is_proper(path, &answer) && answer.status != 200,
                "{path} {shown}: {}",
                answer.text()
            );
        }
        let twice = format!("{},{}", &good[..good.len() - 1], &good[1..]);
        assert!(is_proper(path, &client.ask("POST", path, &[], twice.as_bytes())), "{path}");
    }
}

/// Bodies with some bytes changed, on connections that are kept: never a fault, never another shape.
#[test]
fn damaged_bodies_are_answered_or_refused() {
    let server = Running::new();
    let mut random = Random(21);
    for (path, good) in BODIES {
        let mut client = server.client();
        for _ in 0..150 {
            let mut body = good.as_bytes().to_vec();
            for _ in 0..1 + random.below(3) {
                damage(&mut body, &mut random);
            }
            let answer = client.ask("POST", path, &[], &body);
            let shown = String::from_utf8_lossy(&body).into_owned();
            assert!(is_proper(path, &answer), "{path} {shown}: {}", answer.text());
        }
    }
    assert!(server.metric("te_request_failure{err=\"validation\"}") > 100.0);
    assert_eq!(server.get("/health").status, 200);
}

/// Changes, drops or repeats a byte, most often to one that JSON has a meaning for.
fn damage(body: &mut Vec<u8>, random: &mut Random) {
    const MEANT: &[u8] = b"{}[]\",:0129-.eE\\untf \xff\0";
    if body.is_empty() {
        return;
    }
    let at = random.below(body.len());
    match random.below(3) {
        0 => body[at] = MEANT[random.below(MEANT.len())],
        1 => drop(body.remove(at)),
        _ => body.insert(at, MEANT[random.below(MEANT.len())]),
    }
}

#[test]
fn older_http_is_answered_and_closed() {
    let server = Running::new();
    let mut client = server.client();
    client.send(b"POST /embed HTTP/1.0\r\nContent-Length: 15\r\n\r\n{\"inputs\": \"a\"}");
    let answer = client.answer(true);
    assert_eq!(answer.status, 200);
    assert!(client.is_closed());
}

/// A client that shuts its sending side has left.
#[test]
fn a_half_closed_connection_is_a_client_that_left() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let mut client = server.client();
    client.begin(
        "POST",
        "/embed",
        &[],
        json!({"inputs": vec!["a b c d"; 100]}).to_string().as_bytes(),
    );
    server.fake.wait_for_passes(6);
    client.shut_down();
    wait_until(|| server.metric("te_request_failure{err=\"dropped\"}") == 1.0);
    wait_until(|| server.metric("monomorph_queue_texts") == 0.0);
    assert!(client.is_closed());
}

/// Clients that leave in the middle of a head or of a body leave nothing behind.
#[test]
fn clients_may_leave_at_any_byte() {
    let server = Running::new();
    let request =
        "POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{\"inputs\": \"a\"}";
    for n in 0..request.len() {
        let mut client = server.client();
        client.send(&request.as_bytes()[..n]);
    }
    wait_until(|| server.metric("monomorph_connections") == 1.0);
    server.good("/embed", r#"{"inputs": "a"}"#);
    assert_eq!(server.metric("monomorph_queue_texts"), 0.0);
}
