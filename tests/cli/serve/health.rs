//! `health` says whether a server takes requests.

use super::*;

/// The outcome of asking the server at this port of loopback.
fn health(port: &str) -> Outcome {
    run(&["health", "--port", port, "--wait", "5"])
}

#[test]
fn a_server_that_takes_requests_is_healthy() {
    let server = Server::start(&[]);
    let port = server.host.rsplit_once(':').expect("a port").1.to_owned();
    assert_eq!(health(&port).text(), "");
    // In a container, both commands read the same variables.
    let mut inside = command(&["health"]);
    inside.env("MONOMORPH_HOST", "0.0.0.0").env("MONOMORPH_PORT", &port);
    assert_eq!(Outcome::of(inside).code, Some(0));
    server.signal("TERM");
    assert_eq!(server.ended().0, Some(0));
    let outcome = health(&port);
    let expected = format!("the server at 127.0.0.1:{port} does not answer: ");
    assert!(outcome.failure(1).starts_with(&expected), "{}", outcome.stderr);
}

#[test]
fn what_answers_otherwise_is_not_healthy() {
    use std::io::{Read, Write};
    for (answer, expected) in [
        ("HTTP/1.1 503 Service Unavailable\r\n\r\n", "takes no requests: 503"),
        ("SSH-2.0-x\r\n", "does not answer: what answers is no server of serve"),
        ("", "does not answer: what answers is no server of serve"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port().to_string();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            // What is closed with something unread is reset.
            assert!(stream.read(&mut [0; 1000]).expect("a request") > 50);
            stream.write_all(answer.as_bytes()).expect("a write");
        });
        let said = health(&port);
        assert_eq!(said.failure(1), format!("the server at 127.0.0.1:{port} {expected}"));
        served.join().expect("an end");
    }
}

#[cfg(unix)]
#[test]
fn a_missing_socket_is_not_healthy() {
    let outcome = run(&["health", "--uds", "missing"]);
    assert!(outcome.failure(1).starts_with("the server at missing does not answer: "));
}
