//! What gRPC clients are told of each cause of a failure.

use super::*;
use crate::failure::Failure;
use crate::grpc::tei::{DecodeRequest, InfoRequest, InfoResponse};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The table of causes, and when clients that retry may do so.
#[test]
fn every_cause_has_its_code() {
    let (text, second) = (|| "why".to_owned(), Duration::from_secs(1));
    for (failure, code) in [
        (Failure::NotJson(text()), Code::InvalidArgument),
        (Failure::invalid("f", "no"), Code::InvalidArgument),
        (Failure::TokenIds, Code::InvalidArgument),
        (Failure::NoTexts, Code::InvalidArgument),
        (Failure::TooManyTexts { found: 2, most: 1 }, Code::InvalidArgument),
        (Failure::TooLong { text: 0, reason: text() }, Code::InvalidArgument),
        (Failure::TooLarge(text()), Code::ResourceExhausted),
        (Failure::SlowBody(second), Code::DeadlineExceeded),
        (Failure::UnsupportedMedia(text()), Code::Unimplemented),
        (Failure::Key, Code::Unauthenticated),
        (Failure::Forbidden(text()), Code::PermissionDenied),
        (Failure::UnknownModel(text()), Code::NotFound),
        (Failure::NoRoute { method: text(), path: text() }, Code::Unimplemented),
        (Failure::Method { method: text(), path: text() }, Code::Unimplemented),
        (Failure::NotOffered("rank"), Code::Unimplemented),
        (Failure::Overloaded { retry: second }, Code::ResourceExhausted),
        (Failure::Draining, Code::Unavailable),
        (Failure::Timeout(second), Code::DeadlineExceeded),
        (Failure::Engine(text()), Code::Internal),
        (Failure::Broken(text()), Code::Unavailable),
        (Failure::NotFinite { text: 0 }, Code::Internal),
    ] {
        let status = Status::from(failure.clone());
        assert_eq!((status.code(), status.message()), (code, failure.reason().as_str()));
        let pushback = status.metadata().get("grpc-retry-pushback-ms");
        let pushback = pushback.map(|value| value.to_str().unwrap());
        let expected = match failure {
            Failure::Overloaded { .. } => Some("1000"),
            Failure::Timeout(_) | Failure::Engine(_) | Failure::NotFinite { .. } => Some("-1"),
            _ => None,
        };
        assert_eq!(pushback, expected, "{failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_message_is_told() {
    let server = Running::with(|options| {
        options.limits.body = 5000;
        options.limits.request_tokens = 60;
    });
    let caller = Caller::connect(&server).await;
    let words = "x ".repeat(62);
    for (request, code, said) in [
        (
            EmbedRequest { dimensions: Some(0), ..asked("a") },
            Code::InvalidArgument,
            "dimensions: 0",
        ),
        (EmbedRequest { dimensions: Some(9), ..asked("a") }, Code::InvalidArgument, "1 to 8"),
        (
            EmbedRequest { prompt_name: Some("poem".to_owned()), ..asked("a") },
            Code::InvalidArgument,
            "prompt_name: ",
        ),
        (
            EmbedRequest { truncation_direction: 2, ..asked("a") },
            Code::InvalidArgument,
            "truncation_direction: it is LEFT or RIGHT",
        ),
        (asked(&"x ".repeat(100)), Code::InvalidArgument, "more than 62 words"),
        (asked(&words), Code::ResourceExhausted, "more than the 60 tokens"),
        (asked(&"x".repeat(5000)), Code::ResourceExhausted, "the limit is: 5000 bytes"),
        (asked("a fault"), Code::Internal, "a fault"),
        (asked("a panic"), Code::Internal, "panicked"),
        (asked("a nan"), Code::Internal, "not finite"),
    ] {
        let status = caller.ask::<_, EmbedResponse>(EMBED, request).await.unwrap_err();
        assert_eq!(status.code(), code, "{said}");
        assert!(status.message().contains(said), "{said}: {status}");
    }
    // Bytes that are no such message.
    let request = DecodeRequest { ids: vec![0x1fff; 10], skip_special_tokens: false };
    let status = caller.ask::<_, EmbedResponse>(EMBED, request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(caller.begin("a").await.unwrap().unwrap(), server.fake.vector("a", "", 8));
    let route = "monomorph_http_requests_total{route=\"/tei.v1.Embed/Embed\",status=";
    assert_eq!(server.metric(&format!("{route}\"INVALID_ARGUMENT\"}}")), 6.0);
    assert_eq!(server.metric(&format!("{route}\"INTERNAL\"}}")), 3.0);
    assert_eq!(server.metric("te_request_failure{err=\"inference\"}"), 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_unimplemented() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    for (path, said) in [
        ("/tei.v1.Embed/EmbedSparse", "make sparse vectors"),
        ("/tei.v1.Embed/EmbedSparseStream", "make sparse vectors"),
        ("/tei.v1.Rerank/Rerank", "rank texts"),
        ("/tei.v1.Rerank/RerankStream", "rank texts"),
        ("/tei.v1.Predict/Predict", "classify texts"),
        ("/tei.v1.Embed/Nothing", "there is no route"),
        ("/other.v1.Service/Method", "there is no route"),
    ] {
        let status = caller.ask::<_, EmbedResponse>(path, asked("a")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{path}");
        assert!(status.message().contains(said), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_but_health_and_reflection_need_a_key() {
    let server = Running::with(|options| options.keys.set(vec!["k1".to_owned()]));
    let caller = Caller::connect(&server).await;
    let with = async |key: Option<&str>| {
        let mut request = tonic::Request::new(InfoRequest {});
        if let Some(key) = key {
            let value = format!("Bearer {key}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        let answer = caller.ask_with::<_, InfoResponse>("/tei.v1.Info/Info", request).await;
        answer.map(|_| ()).map_err(|status| status.code())
    };
    assert_eq!(with(None).await, Err(Code::Unauthenticated));
    assert_eq!(with(Some("k2")).await, Err(Code::Unauthenticated));
    assert_eq!(with(Some("k1")).await, Ok(()));
    assert_eq!(caller.begin("a").await.unwrap().unwrap_err().code(), Code::Unauthenticated);
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(vec![asked("a")]));
    assert_eq!(stream.await.unwrap_err().code(), Code::Unauthenticated);
    let path = "/grpc.health.v1.Health/Check";
    let request = HealthCheckRequest { service: "other".to_owned() };
    let status = caller.ask::<_, HealthCheckResponse>(path, request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    wait_until(|| server.metric("te_request_failure{err=\"validation\"}") == 5.0);
    let request = HealthCheckRequest::default();
    assert!(caller.ask::<_, HealthCheckResponse>(path, request).await.is_ok());
    // A large message to a service that everybody may ask.
    let request = HealthCheckRequest { service: "x".repeat(100_000) };
    let status = caller.ask::<_, HealthCheckResponse>(path, request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_work_is_refused_at_once() {
    let server = Running::with(|options| options.limits.wait = Duration::from_millis(10));
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let words = "x ".repeat(60);
    let first = caller.begin(&words);
    server.fake.wait_for_passes(6);
    let status = caller.begin("a").await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, "Model is overloaded"));
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    server.fake.hold(false);
    first.await.unwrap().unwrap();
    assert_eq!(server.metric("monomorph_rejected_total{reason=\"overloaded\"}"), 1.0);
}

/// Bodies count together with those of HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_at_once_are_bounded() {
    let server = Running::with(|options| options.limits.bodies = 3000);
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let first = caller.begin(&"x".repeat(2700));
    server.fake.wait_for_passes(6);
    let status = caller.begin(&"x".repeat(600)).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    server.fake.hold(false);
    first.await.unwrap().unwrap();
    caller.begin(&"x".repeat(600)).await.unwrap().unwrap();
    // All of it is given back, message by message.
    let messages: Vec<EmbedRequest> = (0..50).map(|_| asked(&"x".repeat(600))).collect();
    let stream = caller.stream::<_, EmbedResponse>(
        EMBED_STREAM,
        futures_util::stream::unfold(messages.into_iter(), |mut messages| async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Some((messages.next()?, messages))
        }),
    );
    let answers = stream.await.unwrap();
    assert_eq!(answers.filter(|answer| std::future::ready(answer.is_ok())).count().await, 50);
}
