//! What connections do wrong, or slowly.

use super::*;
use std::time::Duration;

const REQUEST: &str = "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n{\"input\": \"a\"}";

#[test]
fn a_request_may_come_byte_by_byte() {
    let server = Running::new();
    let mut client = server.client();
    for byte in REQUEST.as_bytes() {
        client.send(&[*byte]);
    }
    assert_eq!(client.answer(true).status, 200);
}

#[test]
fn requests_may_be_pipelined_and_connections_used_again() {
    let server = Running::new();
    let mut client = server.client();
    client.send(REQUEST.repeat(3).as_bytes());
    for _ in 0..3 {
        assert_eq!(client.answer(true).status, 200);
    }
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn a_body_may_come_in_chunks() {
    let server = Running::with(|options| options.limits.body = 1000);
    let head =
        "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = server.client();
    client.send(format!("{head}5\r\n{{\"inp\r\n9\r\nut\": \"a\"}}\r\n0\r\n\r\n").as_bytes());
    assert_eq!(client.answer(true).status, 200);
    // One without an end is cut off at the limit.
    let mut client = server.client();
    client.send(head.as_bytes());
    (0..5).for_each(|_| client.send(format!("100\r\n{}\r\n", " ".repeat(256)).as_bytes()));
    assert_eq!(client.answer(true).status, 413);
    assert!(client.is_closed());
}

/// The answer arrives although the client is still sending; one that asks first is told before it sends.
#[test]
fn a_large_body_is_refused() {
    let server = Running::new();
    let answer = server.client().ask("POST", "/v1/embeddings", &[], &vec![b' '; 20 << 20]);
    assert_eq!(answer.status, 413);
    for path in ["/v1/embeddings", "/v1/nothing"] {
        let mut client = server.client();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n");
        client.send(format!("{head}Content-Length: 20000000\r\n\r\n").as_bytes());
        assert!((404..=413).contains(&client.answer(true).status), "{path}");
    }
    let mut client = server.client();
    let (head, body) = REQUEST.split_at(REQUEST.find("\r\n\r\n").unwrap() + 2);
    client.send(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes());
    assert_eq!(client.answer(false).status, 100);
    client.send(body.trim_start().as_bytes());
    assert_eq!(client.answer(true).status, 200);
}

#[test]
fn a_body_that_stops_is_not_waited_for() {
    let server = Running::with(|options| options.limits.body_time = Duration::from_millis(200));
    let mut client = server.client();
    client.send(&REQUEST.as_bytes()[..REQUEST.len() - 3]);
    let answer = client.answer(true);
    assert_eq!(answer.status, 408);
    assert!(parsed(&answer)["error"]["message"].is_string());
    assert!(client.is_closed());
}

#[test]
fn what_is_no_http_is_refused() {
    let server = Running::new();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    for bytes in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", &long, &many] {
        let mut client = server.client();
        client.send(bytes.as_bytes());
        let status = client.answer(false).status;
        assert!((400..500).contains(&status), "{status}");
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn bodies_at_once_are_bounded() {
    let server = Running::with(|options| options.limits.bodies = 1000);
    let mut slow = server.client();
    slow.send(b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{");
    wait_until(|| {
        let answer =
            server.post("/v1/embeddings", &format!("{{\"input\": \"{}\"}}", "a".repeat(200)));
        answer.status == 429
    });
    drop(slow);
    wait_until(|| {
        let answer =
            server.post("/v1/embeddings", &format!("{{\"input\": \"{}\"}}", "a".repeat(200)));
        answer.status == 200
    });
}

/// With all places taken, a connection waits until one is free.
#[test]
fn connections_are_bounded() {
    let server = Running::with(|options| options.limits.connections = 4);
    let mut taken: Vec<Client> = (0..4).map(|_| server.client()).collect();
    taken.iter_mut().for_each(|client| assert_eq!(client.get("/health").status, 200));
    let mut fifth = server.client();
    fifth.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::thread::sleep(Duration::from_millis(50));
    taken.pop();
    assert_eq!(fifth.answer(true).status, 200);
}
