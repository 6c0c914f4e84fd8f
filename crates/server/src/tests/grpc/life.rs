//! Deadlines, clients that leave, and shutdown.

use super::*;
use std::time::Instant;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

fn within(time: Duration) -> tonic::Request<EmbedRequest> {
    let mut request = tonic::Request::new(asked("a"));
    request.set_timeout(time);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_request_and_its_pass() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let begun = Instant::now();
    let request = within(Duration::from_secs(1));
    let status = caller.ask_with::<_, EmbedResponse>(EMBED, request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("1 s"), "{status}");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    wait_until(|| server.metric("monomorph_cancelled_texts_total") == 1.0);
    // The engine is free again.
    server.fake.hold(false);
    caller.begin("a").await.unwrap().unwrap();
    let request = within(Duration::from_secs(30));
    assert!(caller.ask_with::<_, EmbedResponse>(EMBED, request).await.is_ok());
    let mut bad = tonic::Request::new(asked("a"));
    bad.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let status = caller.ask_with::<_, EmbedResponse>(EMBED, bad).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_stream() {
    let server = Running::new();
    server.calibrated();
    let caller = Caller::connect(&server).await;
    let mut request = tonic::Request::new(and_more(vec![asked("a")]));
    request.set_timeout(Duration::from_secs(2));
    let mut answers = caller.stream::<_, EmbedResponse>(EMBED_STREAM, request).await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.metric("te_request_failure{err=\"timeout\"}"), 1.0);
}

/// The server's own limit.
#[tokio::test(flavor = "multi_thread")]
async fn time_is_bounded() {
    let server = Running::with(|options| options.limits.timeout = Duration::from_millis(300));
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let status = caller.begin("a").await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(vec![asked("a")]));
    let status = stream.await.unwrap().message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_texts_along() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    // One that cancels a request, on a connection that stays.
    let asked_for = caller.begin("a");
    server.fake.wait_for_passes(6);
    asked_for.abort();
    wait_until(|| server.metric("te_request_failure{err=\"dropped\"}") == 1.0);
    // One that cancels a stream. This client does so only when it has nothing more to send.
    let messages = vec![asked("a b c d"); 100];
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, iter(messages));
    let answers = stream.await.unwrap();
    wait_until(|| server.metric("monomorph_queue_texts") > 10.0);
    drop(answers);
    wait_until(|| server.metric("monomorph_queue_texts") == 0.0);
    wait_until(|| server.metric("te_request_failure{err=\"dropped\"}") == 2.0);
    server.fake.hold(false);
    caller.begin("a").await.unwrap().unwrap();
}

/// What was taken on is answered; watchers hear of it; nothing that stays open holds the server up.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_answers_what_is_under_way() {
    let mut server = Running::new();
    server.calibrated();
    let caller = Caller::connect(&server).await;
    let path = "/grpc.health.v1.Health/Watch";
    let watched = iter([HealthCheckRequest::default()]);
    let mut watched = caller.stream::<_, HealthCheckResponse>(path, watched).await.unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    server.fake.hold(true);
    let single = caller.begin("a b");
    server.fake.wait_for_passes(6);
    let messages = ["a", "b", "c"].map(asked).to_vec();
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(messages));
    let mut answers = stream.await.unwrap();
    wait_until(|| server.metric("monomorph_queue_texts") == 3.0);
    let idle = Caller::connect(&server).await;
    server.stop.drain();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2);
    let status = watched.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    server.fake.hold(false);
    assert_eq!(single.await.unwrap().unwrap(), server.fake.vector("a b", "", 8));
    for text in ["a", "b", "c"] {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.embeddings, server.fake.vector(text, "", 8));
    }
    let status = answers.message().await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the server is shutting down")
    );
    assert_eq!(server.ended(), Ending::Drained);
    drop(idle);
}
