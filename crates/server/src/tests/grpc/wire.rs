//! HTTP/2 beside HTTP/1.1, and what its connections do wrong.

use super::*;
use http_body_util::{BodyExt, Full};
use std::io::{Read, Write};
use std::time::Instant;

const SHORT: Duration = Duration::from_millis(300);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a request for an embedding: fields of the static table, and literals.
fn head() -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, EMBED.len() as u8];
    block.extend(EMBED.bytes());
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block.extend([0x0f, 0x10, 16]);
    block.extend(b"application/grpc");
    block
}

fn connected(server: &Running) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(&server.host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).unwrap();
    stream
}

/// How long it takes until the server closes.
fn closed_after(stream: &mut std::net::TcpStream) -> Duration {
    let begun = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new());
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_have_all_routes_at_one_port() {
    let server = Running::new();
    let mut caller = Caller::connect(&server).await;
    let mut old = server.client();
    for _ in 0..3 {
        let request = Request::post(format!("http://{}/embed", server.host))
            .body(Body::new(Full::from(r#"{"inputs": "a b"}"#)))
            .unwrap();
        let answer = caller.connection.call(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("x-request-id"));
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(floats(&json[0]), server.fake.vector("a b", "", 8));
        assert_eq!(caller.begin("a b").await.unwrap().unwrap(), floats(&json[0]));
        assert_eq!(old.post("/embed", r#"{"inputs": "a b"}"#).status, 200);
    }
    // A refusal before the body is read.
    let request = Request::post(format!("http://{}/nothing", server.host));
    let request = request.body(Body::new(Full::from(vec![b' '; 300_000]))).unwrap();
    assert_eq!(caller.connection.call(request).await.unwrap().status(), 404);
    // gRPC needs HTTP/2.
    let answer = old.ask("POST", EMBED, &["Content-Type: application/grpc"], b"x");
    assert_eq!(answer.status, 415);
}

/// Clients that ask and take it back, thousands of times (CVE-2023-44487), are cut off, and others are served.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_resets_harm_nobody() {
    let server = Running::new();
    server.calibrated();
    let mut bytes = Vec::new();
    for stream in (1..10_000).step_by(2) {
        bytes.extend(frame(1, 4, stream, &head()));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut threads = Vec::new();
    for _ in 0..4 {
        let (mut stream, bytes) = (connected(&server), bytes.clone());
        threads.push(std::thread::spawn(move || {
            let written = stream.write_all(&bytes);
            // The last that comes is GOAWAY, or the connection is reset.
            let mut said = Vec::new();
            let read = stream.read_to_end(&mut said);
            written.is_err() || read.is_err() || said.windows(4).any(|part| part == [7, 0, 0, 0])
        }));
    }
    let caller = Caller::connect(&server).await;
    for _ in 0..50 {
        assert_eq!(caller.begin("a").await.unwrap().unwrap(), server.fake.vector("a", "", 8));
    }
    for thread in threads {
        assert!(thread.join().unwrap(), "nothing was cut off");
    }
    wait_until(|| server.metric("monomorph_connections") == 2.0);
    assert_eq!(server.metric("monomorph_queue_texts"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_preface_is_not_waited_for() {
    let server = Running::with(|options| options.limits.head_time = SHORT);
    for n in [1, 10, 23] {
        let mut stream = std::net::TcpStream::connect(&server.host).unwrap();
        stream.write_all(&PREFACE[..n]).unwrap();
        let took = closed_after(&mut stream);
        assert!(took > SHORT / 2 && took < 20 * SHORT, "{n}: {took:?}");
    }
}

/// Neither a silent connection nor one that only pings is kept; one with a stream is, and may rest after a request.
#[tokio::test(flavor = "multi_thread")]
async fn only_requests_keep_a_connection() {
    let server = Running::with(|options| {
        options.limits.idle_time = 2 * SHORT;
        options.limits.head_time = SHORT / 4;
    });
    let caller = Caller::connect(&server).await;
    let stream = caller.stream::<_, EmbedResponse>(EMBED_STREAM, and_more(vec![asked("a")]));
    let mut answers = stream.await.unwrap();
    assert!(answers.message().await.unwrap().is_some());
    let rested = Caller::connect(&server).await;
    rested.begin("a").await.unwrap().unwrap();
    // Longer than a head may take.
    tokio::time::sleep(SHORT).await;
    rested.begin("a").await.unwrap().unwrap();

    let took = closed_after(&mut connected(&server));
    assert!(took > SHORT && took < 20 * SHORT, "{took:?}");
    let mut pinging = connected(&server);
    let begun = Instant::now();
    while pinging.write_all(&frame(6, 0, 0, &[0; 8])).is_ok() {
        assert!(begun.elapsed() < 40 * SHORT, "pings keep it open");
        std::thread::sleep(SHORT / 10);
    }
    assert!(begun.elapsed() > SHORT);
    // The stream is where it was.
    drop(rested);
    let still = tokio::time::timeout(4 * SHORT, answers.message()).await;
    assert!(still.is_err(), "the stream ended");
}

/// A message that stops in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_must_come_in_time() {
    let server = Running::with(|options| options.limits.body_time = SHORT);
    let mut caller = Caller::connect(&server).await;
    let parts =
        iter([Ok::<_, Status>(hyper::body::Frame::data(hyper::body::Bytes::from(vec![0; 3])))]);
    let body = http_body_util::StreamBody::new(parts.chain(futures_util::stream::pending()));
    let request = Request::post(format!("http://{}{EMBED}", server.host))
        .header("content-type", "application/grpc")
        .body(Body::new(body))
        .unwrap();
    let begun = Instant::now();
    let answer = caller.connection.call(request).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "4", "{:?}", answer.headers());
    assert!(begun.elapsed() >= SHORT);
}
