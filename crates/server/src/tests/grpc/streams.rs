//! Methods that take messages and give messages.

use super::*;
use crate::grpc::tei::{
    DecodeRequest, DecodeResponse, EmbedAllRequest, EmbedAllResponse, EncodeRequest, EncodeResponse,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Texts of one word to sixty.
fn texts(n: usize) -> Vec<String> {
    let word = |i: usize| format!("w{}", i % 1000);
    (0..n).map(|i| (0..1 + i * 7 % 60).map(|j| word(i + j)).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_order() {
    let server = Running::new();
    server.calibrated();
    let caller = Caller::connect(&server).await;
    let texts = texts(3000);
    let messages: Vec<EmbedRequest> = texts.iter().map(|text| asked(text)).collect();
    let mut answers =
        caller.stream::<_, EmbedResponse>(EMBED_STREAM, iter(messages)).await.unwrap();
    for text in &texts {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.embeddings, server.fake.vector(text, "", 8));
    }
    assert!(answers.message().await.unwrap().is_none());
    wait_until(|| server.metric("te_embed_success") == 3000.0);
    let route = "monomorph_http_requests_total{route=\"/tei.v1.Embed/EmbedStream\",status=\"OK\"}";
    assert_eq!(server.metric(route), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_streams_answer_each_message() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let texts = texts(50);
    let of = |text: &String| EmbedAllRequest { inputs: text.clone(), ..Default::default() };
    let messages = iter(texts.iter().map(of).collect::<Vec<_>>());
    let path = "/tei.v1.Embed/EmbedAllStream";
    let mut answers = caller.stream::<_, EmbedAllResponse>(path, messages).await.unwrap();
    for text in &texts {
        let rows = answers.message().await.unwrap().unwrap().token_embeddings;
        assert_eq!(rows.len(), server.fake.encode_ids(text).len());
    }
    let of = |text: &String| EncodeRequest { inputs: text.clone(), ..Default::default() };
    let messages = iter(texts.iter().map(of).collect::<Vec<_>>());
    let path = "/tei.v1.Tokenize/TokenizeStream";
    let mut answers = caller.stream::<_, EncodeResponse>(path, messages).await.unwrap();
    for text in &texts {
        let tokens = answers.message().await.unwrap().unwrap().tokens;
        let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(&words.join(" "), text);
    }
    let of = |i| DecodeRequest { ids: vec![i, i + 1], skip_special_tokens: false };
    let path = "/tei.v1.Tokenize/DecodeStream";
    let messages = iter((10..60).map(of).collect::<Vec<_>>());
    let mut answers = caller.stream::<_, DecodeResponse>(path, messages).await.unwrap();
    for i in 10..60 {
        let text = answers.message().await.unwrap().unwrap().text;
        assert_eq!(text, format!("{i} {}", i + 1));
    }
    assert!(answers.message().await.unwrap().is_none());
}

/// A message that fails ends the stream, after the answers to those before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_comes_in_its_turn() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    for (bad, code, said) in [
        ("nan", Code::Internal, "index 2: its vector is not finite"),
        (&"x ".repeat(100), Code::InvalidArgument, "index 2: more than 62 words"),
    ] {
        let messages = ["a", "b", bad, "c"].map(asked).to_vec();
        let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(messages));
        let mut answers = stream.await.unwrap();
        for text in ["a", "b"] {
            let answer = answers.message().await.unwrap().unwrap();
            assert_eq!(answer.embeddings, server.fake.vector(text, "", 8));
        }
        let status = answers.message().await.unwrap_err();
        assert_eq!(status.code(), code);
        assert!(status.message().contains(said), "{status}");
    }
    assert_eq!(server.metric("te_request_failure{err=\"inference\"}"), 1.0);
    assert_eq!(server.metric("te_request_failure{err=\"tokenization\"}"), 1.0);
}

/// A stream is not read further than two passes, so that others wait for those only.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_waits_outside() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let messages: Vec<EmbedRequest> = texts(2000).iter().map(|text| asked(text)).collect();
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, iter(messages));
    let answers = stream.await.unwrap();
    wait_until(|| server.metric("monomorph_queue_tokens") > 100.0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(200) {
        let tokens = server.metric("monomorph_queue_tokens");
        assert!(tokens < 600.0, "{tokens} tokens wait");
    }
    drop(answers);
}

/// Others would be refused, since the wait is over the limit; messages of a stream never are.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_not_refused_for_load() {
    let server = Running::with(|options| options.limits.wait = Duration::from_millis(1));
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let texts = texts(300);
    let messages: Vec<EmbedRequest> = texts.iter().map(|text| asked(text)).collect();
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, iter(messages));
    let mut answers = stream.await.unwrap();
    server.fake.wait_for_passes(6);
    assert_eq!(caller.begin("a").await.unwrap().unwrap_err().code(), Code::ResourceExhausted);
    server.fake.hold(false);
    for text in &texts {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.embeddings, server.fake.vector(text, "", 8));
    }
    assert!(answers.message().await.unwrap().is_none());
}

/// What a stream sends while it is not read leaves room for the connection's other requests.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_waits_blocks_no_other() {
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let messages = iter(vec![asked(&"x".repeat(8000)); 400]).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, messages);
    let answers = stream.await.unwrap();
    server.fake.wait_for_passes(6);
    // Until the client may send no more.
    let mut before = 0;
    while before != sent.load(Ordering::Relaxed) {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(before < 400, "all was read");
    let path = "/grpc.health.v1.Health/Check";
    let request = HealthCheckRequest::default();
    assert!(caller.ask::<_, HealthCheckResponse>(path, request).await.is_ok());
    drop(answers);
}

/// It ends the stream, not the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_told() {
    let server = Running::new();
    let caller = Caller::connect(&server).await;
    let messages = ["a", crate::fake::UNREADABLE].map(asked).to_vec();
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(messages));
    let mut answers = stream.await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("a handler panicked"), "{status}");
    assert_eq!(server.metric("te_request_failure{err=\"inference\"}"), 1.0);
    caller.begin("a").await.unwrap().unwrap();
}

/// Many streams and single texts at once: each gets its own.
#[tokio::test(flavor = "multi_thread")]
async fn streams_do_not_mix() {
    let server = std::sync::Arc::new(Running::new());
    server.calibrated();
    let mut tasks = Vec::new();
    for client in 0..8 {
        let caller = Caller::connect(&server).await;
        for stream in 0..4 {
            let (caller, server) = (caller.clone(), server.clone());
            tasks.push(tokio::spawn(async move {
                let texts: Vec<String> =
                    texts(100).iter().map(|text| format!("c{client}{stream} {text}")).collect();
                let texts: Vec<String> = texts
                    .iter()
                    .map(|text| text.split(' ').take(60).collect::<Vec<_>>().join(" "))
                    .collect();
                let messages: Vec<EmbedRequest> = texts.iter().map(|text| asked(text)).collect();
                let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, iter(messages));
                let mut answers = stream.await.unwrap();
                for text in &texts {
                    let answer = answers.message().await.unwrap().unwrap();
                    assert_eq!(answer.embeddings, server.fake.vector(text, "", 8));
                }
                let single = caller.begin(&texts[7]).await.unwrap().unwrap();
                assert_eq!(single, server.fake.vector(&texts[7], "", 8));
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.metric("monomorph_queue_texts"), 0.0);
}
