//! HTTP/2 beside HTTP/1.1, and what its connections do wrong.

use super::*;
use http_body_util::{BodyExt, Full};
use prost::Message;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant;

const SHORT: Duration = Duration::from_millis(300);
/// Longer than anything here takes, on a slow machine.
const LONG: Duration = Duration::from_secs(30);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Places of the static table.
const GET: u8 = 2;
const POST: u8 = 3;

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a request: fields of the static table (the method's place is given), and literals.
fn plain_head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method, 0x86, 0x04, path.len() as u8];
    block.extend(path.bytes());
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    block
}

/// The head of a request of gRPC.
fn head(path: &str) -> Vec<u8> {
    let mut block = plain_head(POST, path);
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

/// A message of gRPC.
fn message(text: &str) -> Vec<u8> {
    let message = asked(text).encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend((message.len() as u32).to_be_bytes());
    bytes.extend(message);
    bytes
}

/// The next frame's kind, stream and payload; none once the server has closed.
fn next_frame(stream: &mut std::net::TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    if let Err(error) = stream.read_exact(&mut head) {
        let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_late, "the server neither sends nor closes");
        return None;
    }
    let [a, b, c, kind, _, id @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((kind, u32::from_be_bytes(id), payload))
}

/// Waits until the server closes.
fn wait_for_end(stream: &mut std::net::TcpStream) {
    while next_frame(stream).is_some() {}
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
        let length = answer.headers()["content-length"].to_str().unwrap().parse();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(length, Ok(bytes.len()));
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
    server.fake.hold(true);
    let caller = Caller::connect(&server).await;
    let first = caller.begin("a");
    server.fake.wait_for_passes(6);
    let mut bytes = Vec::new();
    for stream in (1..10_000).step_by(2) {
        bytes.extend(frame(1, 4, stream, &head(EMBED)));
        bytes.extend(frame(0, 1, stream, &message("a")));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    let mut threads = Vec::new();
    for _ in 0..4 {
        let (mut stream, bytes) = (connected(&server), bytes.clone());
        threads.push(std::thread::spawn(move || {
            // Fails where the server has closed by then.
            let _ = stream.write_all(&bytes);
            wait_for_end(&mut stream);
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    // Nothing of theirs is left.
    wait_until(|| server.metric("monomorph_queue_texts") == 0.0);
    server.fake.hold(false);
    assert_eq!(first.await.unwrap().unwrap(), server.fake.vector("a", "", 8));
    for _ in 0..50 {
        assert_eq!(caller.begin("a").await.unwrap().unwrap(), server.fake.vector("a", "", 8));
    }
    wait_until(|| server.metric("monomorph_connections") == 2.0);
}

/// A stream whose client gives it no room for answers.
fn without_room(server: &Running, messages: &[&str]) -> std::net::TcpStream {
    let mut stream = connected(server);
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).unwrap();
    stream.write_all(&frame(1, 4, 1, &head(EMBED_STREAM))).unwrap();
    let messages: Vec<u8> = messages.iter().flat_map(|text| message(text)).collect();
    stream.write_all(&frame(0, 0, 1, &messages)).unwrap();
    stream
}

/// What a stream has in hand is done though its client takes no answer: else others would wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_do_not_wait_for_their_client() {
    let server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let words = "x ".repeat(60);
    let _stream = without_room(&server, &[words.as_str(); 6]);
    // The first answer waits for the client before the others are computed.
    server.fake.wait_for_passes(6);
    server.fake.allow(1);
    wait_until(|| server.metric("te_embed_success") >= 1.0);
    server.fake.hold(false);
    wait_until(|| server.metric("te_embed_success") == 6.0);
}

/// Its stream is ended, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_must_take_its_answers() {
    let server = Running::with(|options| options.limits.write_time = SHORT);
    let mut stream = without_room(&server, &["a", "b"]);
    let reset = std::iter::from_fn(|| next_frame(&mut stream)).find(|(kind, ..)| *kind == 3);
    let (_, id, reason) = reset.expect("a reset");
    assert_eq!((id, &reason[..]), (1, &8_u32.to_be_bytes()[..]));
    wait_until(|| server.metric("te_request_failure{err=\"dropped\"}") == 1.0);
    stream.write_all(&frame(6, 0, 0, &[7; 8])).unwrap();
    let answer = std::iter::from_fn(|| next_frame(&mut stream))
        .find(|(kind, _, payload)| *kind == 6 && payload[..] == [7; 8]);
    assert!(answer.is_some(), "the connection was closed");
}

/// A request for this path.
fn get(path: &str) -> Vec<u8> {
    frame(1, 5, 1, &plain_head(GET, path))
}

/// JSON, too, must be taken: a client that gives it no room for long loses its stream, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn json_must_be_taken() {
    let server = Running::with(|options| options.limits.write_time = SHORT);
    let mut stream = connected(&server);
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).unwrap();
    stream.write_all(&get("/info")).unwrap();
    let begun = Instant::now();
    let frames = std::iter::from_fn(|| next_frame(&mut stream)).skip_while(|(kind, ..)| *kind != 1);
    // Its head, and then no data.
    let answer: Vec<_> = frames.take(2).collect();
    assert_eq!((answer[0].0, answer[0].1), (1, 1));
    assert_eq!(answer[1], (3, 1, 8_u32.to_be_bytes().to_vec()), "a reset");
    assert!(begun.elapsed() >= SHORT);
    stream.write_all(&frame(6, 0, 0, &[7; 8])).unwrap();
    let pong = std::iter::from_fn(|| next_frame(&mut stream))
        .any(|(kind, _, payload)| kind == 6 && payload[..] == [7; 8]);
    assert!(pong, "the connection was closed");
}

/// One that gives room bit by bit gets all, in more time than one piece may take.
#[tokio::test(flavor = "multi_thread")]
async fn json_may_be_taken_slowly() {
    // Much more than a piece takes, on a busy machine, too.
    let limit = 4 * SHORT;
    let server = Running::with(|options| options.limits.write_time = limit);
    let texts = vec!["a b c d e f g h i j"; 150];
    let body = serde_json::json!({"inputs": texts, "add_special_tokens": true}).to_string();
    let whole = server.post("/tokenize", &body).body.len();
    let mut stream = connected(&server);
    stream.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).unwrap();
    stream.write_all(&frame(1, 4, 1, &plain_head(POST, "/tokenize"))).unwrap();
    stream.write_all(&frame(0, 1, 1, body.as_bytes())).unwrap();
    // A connection has room for all, and its stream for a part after a small part of the limit.
    stream.write_all(&frame(8, 0, 0, &(1_u32 << 20).to_be_bytes())).unwrap();
    let room = 8_u32 << 10;
    assert!((9..24).contains(&(whole >> 13)), "{whole}");
    let (mut taken, begun) = (0, Instant::now());
    while taken < whole {
        std::thread::sleep(limit / 8);
        stream.write_all(&frame(8, 0, 1, &room.to_be_bytes())).unwrap();
        let mut more = room as usize;
        while more > 0 && taken < whole {
            let (kind, _, payload) = next_frame(&mut stream).expect("its answer");
            assert_ne!(kind, 3, "it was reset");
            if kind == 0 {
                taken += payload.len();
                more -= payload.len();
            }
        }
    }
    assert_eq!(taken, whole);
    assert!(begun.elapsed() > limit, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_preface_is_not_waited_for() {
    let server = Running::with(|options| options.limits.head_time = SHORT);
    for n in [1, 10, 23] {
        let begun = Instant::now();
        let mut stream = std::net::TcpStream::connect(&server.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&PREFACE[..n]).unwrap();
        wait_for_end(&mut stream);
        assert!(begun.elapsed() >= SHORT, "{n}: {:?}", begun.elapsed());
    }
}

/// Neither a silent connection nor one that only pings is kept; one with a stream is, and may rest after a request.
#[tokio::test(flavor = "multi_thread")]
async fn only_requests_keep_a_connection() {
    const IDLE: Duration = Duration::from_secs(2);
    let server = Running::with(|options| {
        options.limits.idle_time = IDLE;
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
    drop(rested);

    let begun = Instant::now();
    wait_for_end(&mut connected(&server));
    assert!(begun.elapsed() >= IDLE, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let mut pinging = connected(&server);
    while pinging.write_all(&frame(6, 0, 0, &[0; 8])).is_ok() {
        assert!(begun.elapsed() < 10 * IDLE, "pings keep it open");
        std::thread::sleep(SHORT / 10);
    }
    assert!(begun.elapsed() >= IDLE, "{:?}", begun.elapsed());
    // The stream is where it was.
    let still = tokio::time::timeout(SHORT, answers.message()).await;
    assert!(still.is_err(), "the stream ended");
}

/// The client of an idle connection is told in time, by RFC 9113: it takes no new request, which is safe to send again,
/// then which was the last, and then it is closed.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_takes_its_leave() {
    let server = Running::with(|options| {
        options.limits.idle_time = SHORT;
        // The limit for those that do not answer is not reached.
        options.limits.head_time = 2 * LONG;
    });
    for asks in [false, true] {
        let mut stream = connected(&server);
        if asks {
            stream.write_all(&get("/health")).unwrap();
        }
        let begun = Instant::now();
        let mut leaves = Vec::new();
        while let Some((kind, _, payload)) = next_frame(&mut stream) {
            match kind {
                7 => leaves.push(payload),
                // Its own pings are answered, as every client does it.
                6 => stream.write_all(&frame(6, 1, 0, &payload)).unwrap(),
                _ => {}
            }
        }
        assert!((SHORT..LONG).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        let leave = |last: u32| [last.to_be_bytes(), [0; 4]].concat();
        assert_eq!(leaves, [leave(u32::MAX >> 1), leave(asks.into())]);
    }
    wait_until(|| server.metric("monomorph_connections") == 1.0);
}

/// A message that stops in the middle, alone and on a stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_must_come_in_time() {
    let server = Running::with(|options| options.limits.body_time = SHORT);
    let mut caller = Caller::connect(&server).await;
    for path in [EMBED, EMBED_STREAM] {
        let begun = Instant::now();
        let half = hyper::body::Bytes::from(message("a")[..3].to_vec());
        let parts = iter([Ok::<_, Status>(hyper::body::Frame::data(half))]);
        let body = http_body_util::StreamBody::new(parts.chain(futures_util::stream::pending()));
        let request = Request::post(format!("http://{}{path}", server.host))
            .header("content-type", "application/grpc")
            .body(Body::new(body))
            .unwrap();
        let answer = caller.connection.call(request).await.unwrap();
        let head = answer.headers().get("grpc-status").cloned();
        let whole = tokio::time::timeout(LONG, answer.into_body().collect()).await;
        let trailers = whole.expect("it is not told").unwrap().trailers().cloned();
        let status = head.or_else(|| trailers?.get("grpc-status").cloned());
        assert_eq!(status.expect("a status"), "4", "{path}");
        assert!(begun.elapsed() >= SHORT);
    }
    // A stream may rest between messages.
    let pause = futures_util::stream::once(async {
        tokio::time::sleep(3 * SHORT).await;
        asked("b")
    });
    let messages = iter([asked("a")]).chain(pause);
    let mut answers =
        caller.stream::<_, EmbedResponse>(EMBED_STREAM, Box::pin(messages)).await.unwrap();
    for _ in 0..2 {
        let answer = tokio::time::timeout(LONG, answers.message()).await;
        assert!(answer.expect("it is not answered").unwrap().is_some());
    }
}
