//! The table of causes: what each family is told.

use crate::failure::{Failure, Family, LABELS};
use serde_json::{Value, json};
use std::time::Duration;

/// A cause; OpenAI's status, type and code; TEI's status and type; Ollama's status.
type Row = (Failure, (u16, &'static str, Option<&'static str>), (u16, &'static str), u16);

fn rows() -> Vec<Row> {
    let text = |text: &str| text.to_owned();
    let (second, invalid) = (Duration::from_secs(1), "invalid_request_error");
    let not_finite = Failure::NotFinite { text: 0 };
    let no_route = Failure::NoRoute { method: text("GET"), path: text("/x") };
    let method = Failure::Method { method: text("GET"), path: text("/x") };
    let too_long = Failure::TooLong { text: 0, reason: text("long") };
    let too_many = Failure::TooManyTexts { found: 2, most: 1 };
    let too_large = Failure::TooLarge(text("large"));
    let model = Failure::UnknownModel(text("x"));
    vec![
        (Failure::NotJson(text("no")), (400, invalid, None), (400, "Validation"), 400),
        (Failure::invalid("f", "no"), (400, invalid, None), (422, "Validation"), 400),
        (Failure::NoTexts, (400, invalid, None), (400, "Empty"), 400),
        (too_many, (400, invalid, None), (422, "Validation"), 400),
        (too_long, (400, invalid, Some("context_length_exceeded")), (422, "Validation"), 400),
        (too_large, (413, invalid, Some("request_too_large")), (413, "Validation"), 413),
        (Failure::SlowBody(second), (408, invalid, None), (408, "Validation"), 408),
        (
            Failure::Key,
            (401, "authentication_error", Some("invalid_api_key")),
            (401, "Unauthorized"),
            401,
        ),
        (
            Failure::Forbidden(text("no")),
            (403, "permission_error", None),
            (403, "Unauthorized"),
            403,
        ),
        (model, (404, invalid, Some("model_not_found")), (404, "Validation"), 404),
        (no_route, (404, invalid, None), (404, "Validation"), 404),
        (method, (405, invalid, None), (405, "Validation"), 405),
        (Failure::UnsupportedMedia(text("no")), (415, invalid, None), (415, "Validation"), 415),
        (
            Failure::Overloaded { retry: second },
            (429, "rate_limit_error", Some("overloaded")),
            (429, "Overloaded"),
            503,
        ),
        (Failure::Draining, (503, "server_error", None), (503, "Unhealthy"), 503),
        (Failure::Broken(text("no")), (503, "server_error", None), (503, "Unhealthy"), 503),
        (Failure::Timeout(second), (504, "server_error", Some("timeout")), (504, "Backend"), 504),
        (Failure::Engine(text("no")), (500, "server_error", None), (424, "Backend"), 500),
        (not_finite, (500, "server_error", None), (424, "Backend"), 500),
        (Failure::NotOffered("rank"), (404, invalid, None), (424, "Backend"), 404),
    ]
}

/// Status and body of an answer.
fn told(failure: &Failure, family: Family) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = failure.render(family);
    let status = response.status().as_u16();
    let body = runtime.block_on(axum::body::to_bytes(response.into_body(), 10_000)).unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn every_family_is_told_in_its_shape() {
    for (failure, (status, kind, code), (tei_status, tei_kind), ollama_status) in rows() {
        let (found, body) = told(&failure, Family::OpenAi);
        assert_eq!(
            (found, &body["error"]["type"], &body["error"]["code"]),
            (status, &json!(kind), &json!(code)),
            "{failure:?}"
        );
        assert_eq!(body["error"].as_object().unwrap().len(), 4);
        let (found, body) = told(&failure, Family::Tei);
        assert_eq!((found, &body["error_type"]), (tei_status, &json!(tei_kind)), "{failure:?}");
        assert!(body["error"].is_string());
        let (found, body) = told(&failure, Family::Ollama);
        assert_eq!(found, ollama_status, "{failure:?}");
        assert!(body["error"].is_string() && body.as_object().unwrap().len() == 1);
        assert!(LABELS.contains(&failure.label()), "{failure:?}");
    }
}

#[test]
fn clients_are_told_when_to_come_again_and_when_not_to() {
    let header = |failure: &Failure, name: &str| {
        let response = failure.render(Family::OpenAi);
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    let overloaded = Failure::Overloaded { retry: Duration::from_millis(1500) };
    assert_eq!(header(&overloaded, "retry-after").as_deref(), Some("2"));
    assert_eq!(header(&overloaded, "retry-after-ms").as_deref(), Some("1500"));
    assert_eq!(header(&Failure::Draining, "retry-after").as_deref(), Some("1"));
    assert_eq!(header(&Failure::Draining, "connection").as_deref(), Some("close"));
    for failure in [Failure::Timeout(Duration::ZERO), Failure::Engine(String::new())] {
        assert_eq!(header(&failure, "x-should-retry").as_deref(), Some("false"));
    }
    assert_eq!(header(&Failure::NoTexts, "x-should-retry"), None);
}

#[test]
fn paths_belong_to_families() {
    for (path, family) in [
        ("/v1/embeddings", Family::OpenAi),
        ("/embeddings", Family::OpenAi),
        ("/embedding", Family::OpenAi),
        ("/nothing", Family::OpenAi),
        ("/api/embed", Family::Ollama),
        ("/api/nothing", Family::Ollama),
        ("/", Family::Tei),
        ("/embed", Family::Tei),
        ("/tokenize", Family::Tei),
        ("/rerank", Family::Tei),
    ] {
        assert_eq!(Family::of(path), family, "{path}");
    }
}
