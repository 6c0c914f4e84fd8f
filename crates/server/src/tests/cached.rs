//! Rows that are kept: the same bits, less work.

use super::*;
use crate::fake::PARTS;
use serde_json::json;

fn keeping() -> Running {
    let server = Running::with(|options| options.limits.cache = 1 << 20);
    server.calibrated();
    server
}

/// Texts of the passes since the calibration.
fn computed(server: &Running) -> usize {
    server.fake.passes()[5..].iter().map(Vec::len).sum()
}

#[test]
fn texts_that_come_again_are_not_computed() {
    let server = keeping();
    let ask = |texts: &[&str], n: usize| {
        let body = json!({"inputs": texts, "dimensions": n, "prompt_name": "query"}).to_string();
        let answer = server.post("/embed", &body);
        let expected: Vec<Vec<f32>> =
            texts.iter().map(|text| server.fake.vector(text, "q: ", n)).collect();
        let vectors = parsed(&answer);
        let found: Vec<Vec<f32>> = vectors.as_array().unwrap().iter().map(floats).collect();
        assert_eq!(found, expected);
        answer.header("x-cache").unwrap().to_owned()
    };
    assert_eq!(ask(&["a", "b"], 8), "0/2");
    assert_eq!(ask(&["b", "c", "a", "d"], 8), "2/4");
    // Other dimensions are of the same row.
    assert_eq!(ask(&["a", "b", "c", "d"], 3), "4/4");
    assert_eq!(computed(&server), 4);
    // Another prompt makes another text.
    server.good("/embed", r#"{"inputs": "a"}"#);
    assert_eq!(computed(&server), 5);
    assert_eq!(server.metric("monomorph_cache_hits_total"), 6.0);
    assert_eq!(server.metric("monomorph_cache_misses_total"), 5.0);
    assert!(server.metric("monomorph_cache_bytes") > 5.0 * 32.0);
}

/// Equal texts that wait at the same time, of one request and of several, are computed once.
#[test]
fn equal_texts_are_computed_once() {
    let server = keeping();
    server.fake.hold(true);
    let body = json!({"inputs": vec!["a b c d e f g h i j"; 20]}).to_string();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| server.good("/embed", r#"{"inputs": "first"}"#));
        server.fake.wait_for_passes(6);
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| server.good("/embed", &body))).collect();
        wait_until(|| server.metric("monomorph_queue_texts") == 80.0);
        server.fake.hold(false);
        first.join().unwrap();
        let expected = server.fake.vector("a b c d e f g h i j", "", 8);
        for thread in threads {
            let answer = thread.join().unwrap();
            let vectors = answer.as_array().unwrap();
            assert!(vectors.len() == 20 && vectors.iter().all(|v| floats(v) == expected));
        }
    });
    // The other one in parts, since a pass of so many texts may be interrupted.
    assert_eq!(computed(&server), 1 + PARTS);
}

/// What fails is not kept, and is named by its place in the request.
#[test]
fn failures_are_not_kept() {
    let server = keeping();
    server.good("/embed", r#"{"inputs": ["a", "b"]}"#);
    for _ in 0..2 {
        let answer = server.post("/embed", r#"{"inputs": ["a", "b", "nan"]}"#);
        assert_eq!(answer.status, 424);
        assert!(answer.text().contains("index 2"), "{}", answer.text());
    }
    assert_eq!(computed(&server), 4);
}

#[test]
fn nothing_is_kept_by_default() {
    let server = Running::new();
    server.calibrated();
    for _ in 0..3 {
        let answer = server.post("/embed", r#"{"inputs": ["a", "a"]}"#);
        assert_eq!((answer.status, answer.header("x-cache")), (200, None));
    }
    assert_eq!(computed(&server), 6);
}
