//! What a connection may take its time for, and for how long.

use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(200);
const REQUEST: &str =
    "POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{\"inputs\": \"a\"}";

/// How long it takes until the server closes.
fn closed_after(client: &mut Client) -> Duration {
    let begun = Instant::now();
    assert!((0..200).any(|_| client.is_closed()), "it stays open");
    begun.elapsed()
}

#[test]
fn idle_connections_are_closed() {
    let server = Running::with(|options| options.limits.idle_time = SHORT);
    let mut silent = server.client();
    assert!(closed_after(&mut silent) > SHORT / 2);
    let mut used = server.client();
    // Each request begins the time anew.
    for _ in 0..4 {
        assert_eq!(used.get("/health").status, 200);
        std::thread::sleep(SHORT / 2);
    }
    assert!(closed_after(&mut used) < 10 * SHORT);
}

/// However many bytes of it come meanwhile.
#[test]
fn a_head_must_come_in_time() {
    let server = Running::with(|options| options.limits.head_time = SHORT);
    let mut half = server.client();
    half.send(b"GET /hea");
    assert!(closed_after(&mut half) > SHORT / 2);
    let mut used = server.client();
    assert_eq!(used.get("/health").status, 200);
    // Between requests there is more time than in a head.
    std::thread::sleep(2 * SHORT);
    assert_eq!(used.get("/health").status, 200);
    let mut trickle = TcpStream::connect(&server.host).unwrap();
    let begun = Instant::now();
    while trickle.write_all(b"G").is_ok() {
        assert!(begun.elapsed() < 50 * SHORT, "it stays open");
        std::thread::sleep(SHORT / 20);
    }
    assert!(begun.elapsed() > SHORT / 2);
}

/// Neither a slow body nor a slow engine is an idle connection.
#[test]
fn requests_in_hand_are_not_idle() {
    let server = Running::with(|options| {
        options.limits.idle_time = SHORT;
        options.limits.head_time = SHORT;
    });
    server.calibrated();
    let (begin, end) = REQUEST.split_at(REQUEST.len() - 5);
    let mut slow = server.client();
    slow.send(begin.as_bytes());
    std::thread::sleep(3 * SHORT);
    server.fake.hold(true);
    slow.send(end.as_bytes());
    server.fake.wait_for_passes(6);
    std::thread::sleep(3 * SHORT);
    server.fake.hold(false);
    assert_eq!(slow.answer(true).status, 200);
}

/// A client that takes nothing of its answer does not hold it for ever; one that takes it slowly gets all of it.
#[test]
fn an_answer_must_be_taken() {
    let server = Running::with(|options| {
        options.limits.write_time = SHORT;
        options.limits.request_tokens = 1_000_000;
    });
    // Some megabytes, more than the system's buffers take.
    let texts = vec!["a b c d e f g h i j"; 2048];
    let body = serde_json::json!({"inputs": texts, "add_special_tokens": true}).to_string();
    let head = format!(
        "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let ask = || {
        let mut stream = TcpStream::connect(&server.host).unwrap();
        stream.set_read_timeout(Some(50 * SHORT)).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream
    };
    let mut whole = Vec::new();
    ask().read_to_end(&mut whole).unwrap();
    assert!(whole.len() > 1 << 20, "{}", whole.len());
    let mut slow = ask();
    let mut taken = Vec::new();
    let mut part = vec![0; 256 << 10];
    while let n @ 1.. = slow.read(&mut part).unwrap() {
        taken.extend_from_slice(&part[..n]);
        std::thread::sleep(SHORT / 8);
    }
    assert_eq!(taken.len(), whole.len());
    let stopped = ask();
    wait_until(|| server.metric("monomorph_connections") == 2.0);
    wait_until(|| server.metric("monomorph_connections") == 1.0);
    drop(stopped);
}
