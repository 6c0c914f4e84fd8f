//! Shutdown: what was taken on is answered.

use super::*;
use serde_json::json;
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn requests_under_way_are_answered() {
    let mut server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let idle = server.client();
    let body = json!({"input": vec!["a b c d e f g h"; 100]}).to_string();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            (0..8).map(|_| scope.spawn(|| server.post("/v1/embeddings", &body))).collect();
        wait_until(|| server.metric("monomorph_queue_requests") == 8.0);
        server.stop.drain();
        // New connections are refused.
        wait_until(|| TcpStream::connect(&server.host).is_err());
        server.fake.hold(false);
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(parsed(&answer)["data"].as_array().unwrap().len(), 100);
    }
    assert_eq!(server.ended(), Ending::Drained);
    drop(idle);
}

/// A request that was sent before the shutdown is served, even if it was not read yet.
#[test]
fn requests_on_their_way_are_answered() {
    let mut server = Running::new();
    let mut clients: Vec<Client> = (0..8).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/health").status, 200));
    let request =
        "POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{\"inputs\": \"a\"}";
    clients.iter_mut().for_each(|client| client.send(request.as_bytes()));
    server.stop.drain();
    clients.iter_mut().for_each(|client| assert_eq!(client.answer(true).status, 200));
    assert_eq!(server.ended(), Ending::Drained);
}

#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let mut server = Running::with(|options| options.limits.drain = Duration::from_millis(100));
    server.calibrated();
    server.fake.hold(true);
    let mut client = server.client();
    client.begin("POST", "/v1/embeddings", &[], br#"{"input": "a"}"#);
    server.fake.wait_for_passes(6);
    let begun = Instant::now();
    server.stop.drain();
    assert_eq!(server.ended(), Ending::CutOff);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(client.is_closed());
}

#[test]
fn the_second_signal_ends_at_once() {
    let mut server = Running::new();
    server.calibrated();
    server.fake.hold(true);
    let mut client = server.client();
    client.begin("POST", "/v1/embeddings", &[], br#"{"input": "a"}"#);
    server.fake.wait_for_passes(6);
    server.stop.drain();
    server.stop.end();
    assert_eq!(server.ended(), Ending::CutOff);
}

#[test]
fn an_idle_server_ends_at_once() {
    let mut server = Running::new();
    let mut idle = server.client();
    assert_eq!(idle.get("/health").status, 200);
    server.stop.drain();
    assert_eq!(server.ended(), Ending::Drained);
    assert!(idle.is_closed());
}
