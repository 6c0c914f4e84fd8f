//! Health and metrics.

use super::*;

#[test]
fn health_is_json() {
    let server = Running::new();
    for path in ["/health", "/livez", "/readyz", "/ready"] {
        let answer = server.get(path);
        assert_eq!((answer.status, &parsed(&answer)["status"]), (200, &"ok".into()), "{path}");
        assert_eq!(server.client().ask("HEAD", path, &[], &[]).status, 200, "{path}");
    }
}

#[test]
fn metrics_count_what_was_done() {
    let server = Running::new();
    // Failures are counted from the start.
    for metric in ["te_request_failure{err=\"dropped\"}", "te_request_failure{err=\"timeout\"}"] {
        assert_eq!(server.metric(metric), 0.0);
    }
    assert_eq!(server.metric("te_request_count{method=\"batch\"}"), 0.0);
    server.good("/v1/embeddings", r#"{"input": ["a", "b c"]}"#);
    server.good("/v1/embeddings", r#"{"input": "a"}"#);
    server.get("/nothing/secret");
    assert_eq!(server.metric("monomorph_texts_total"), 3.0);
    assert_eq!(server.metric("monomorph_tokens_total"), 10.0);
    assert_eq!(server.metric("te_embed_success"), 3.0);
    assert_eq!(server.metric("te_request_count{method=\"batch\"}"), 1.0);
    assert_eq!(server.metric("te_request_success{method=\"single\"}"), 1.0);
    assert_eq!(server.metric("te_request_input_length_count"), 3.0);
    let route = "monomorph_http_requests_total{route=\"/v1/embeddings\",status=\"200\"}";
    assert_eq!(server.metric(route), 2.0);
    assert_eq!(server.metric("monomorph_http_requests_total{route=\"other\",status=\"404\"}"), 1.0);
    // The other clients' connections are closed; the server sees it a moment later.
    wait_until(|| server.metric("monomorph_connections") == 1.0);
    assert!(server.metric("monomorph_pass_budget_tokens") >= 32.0);
    assert!(server.metric("process_resident_memory_bytes") > 1e6);
    let answer = server.get("/metrics");
    assert!(answer.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(!answer.text().contains("secret"));
    let info =
        "monomorph_build_info{fingerprint=\"0123456789abcdef\",isa=\"none\",model=\"Fake 1\"";
    assert!(answer.text().contains(info));
}
