//! Starting, logging and stopping.

use std::fs;
use std::io::Write as _;

use serde_json::json;

use super::*;

#[test]
fn signals_end_a_server_that_loses_nothing() {
    for signal in ["TERM", "INT"] {
        let server = Server::start(&[]);
        let body = json!({"input": vec!["a few words"; 200]}).to_string();
        // Every client waits for its first answer, so that each has a connection when the signal comes.
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (mut client, body) = (server.client(), body.clone());
                assert_eq!(client.get("/health").status, 200);
                client.begin("POST", "/v1/embeddings", &[], body.as_bytes());
                client
            })
            .collect();
        // One that was answered shows that those before it were taken on.
        server.client().post("/v1/embeddings", &body);
        server.signal(signal);
        for mut client in clients {
            let answer = client.answer(true);
            assert_eq!(good(&answer)["data"].as_array().expect("a list").len(), 200);
        }
        let (code, log) = server.ended();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("draining") && log.contains("drained"), "{log}");
    }
}

/// However much is under way.
#[test]
fn a_second_signal_ends_a_server_at_once() {
    let server = Server::start(&["--drain", "600", "--max-wait", "600"]);
    let mut client = server.client();
    let body = json!({"input": vec![long_text(); 500], "encoding_format": "base64"}).to_string();
    client.begin("POST", "/v1/embeddings", &[], body.as_bytes());
    let queued = || {
        let metrics = server.client().get("/metrics");
        let line = metrics.text().lines().find(|line| line.starts_with("monomorph_queue_texts "));
        !line.expect("a metric").ends_with(" 0")
    };
    let begun = Instant::now();
    while !queued() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing waits");
    }
    server.signal("TERM");
    // Two signals at once would be one.
    let begun = Instant::now();
    while !server.said().contains("draining") {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", server.said());
        std::thread::sleep(Duration::from_millis(2));
    }
    server.signal("TERM");
    let told = Instant::now();
    let (code, log) = server.ended();
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("requests under way were cut off"), "{log}");
    assert!(client.is_closed());
}

/// The server takes as many connections as it has descriptors for, and the others when those have ended.
#[cfg(target_os = "linux")]
#[test]
fn a_server_with_few_descriptors_loses_no_connection() {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]);
    let serve = command(&["serve", "--port", "0"]);
    limited.arg(serve.get_program()).args(serve.get_args()).env_remove("MODEL_GGUF");
    // The server keeps 32 descriptors for other things.
    more_than_places(&Server::of(limited), 68, 120);
}

/// Of 1,100 connections, as many as are allowed by default are served at once.
#[cfg(target_os = "linux")]
#[test]
fn connections_that_find_no_place_wait_for_one() {
    let limits = fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let most = line.and_then(|line| line.split_whitespace().next()).expect("a limit");
    if most.parse::<usize>().is_ok_and(|most| most < 1300) {
        return super::environment::say(&format!("SKIPPED: this process has {most} descriptors"));
    }
    more_than_places(&Server::start(&[]), 1024, 1100);
}

/// All connections ask at once: the first ones are answered and keep their places, and the others are answered when
/// those have ended.
#[cfg(target_os = "linux")]
fn more_than_places(server: &Server, places: usize, connections: usize) {
    let mut clients: Vec<Client> = (0..connections).map(|_| server.client()).collect();
    clients.iter_mut().for_each(|client| client.begin("GET", "/health", &[], &[]));
    let mut waiting = clients.split_off(places);
    // Places are given in the order of arrival.
    clients.iter_mut().for_each(|client| assert_eq!(client.answer(true).status, 200));
    let metrics = clients[0].get("/metrics");
    assert!(
        metrics.text().contains(&format!("\nmonomorph_connections {places}\n")),
        "{}",
        metrics.text()
    );
    drop(clients);
    waiting.iter_mut().for_each(|client| assert_eq!(client.answer(true).status, 200));
}

/// Neither in the log's words nor in its JSON.
#[test]
fn texts_and_keys_are_never_logged() {
    let folder = Folder::new("serve-log");
    let keys = folder.write("keys.txt", b"sesame-1\n");
    for form in ["text", "json"] {
        let server =
            Server::start(&["--log", form, "--log-level", "debug", "--api-key-file", &keys]);
        let mut client = server.client();
        let ask = |client: &mut Client, key: &str, body: &str| {
            let key = format!("Authorization: Bearer {key}");
            let headers =
                [key.as_str(), "X-OpenWebUI-User-Email: secret@example.org", "x-request-id: r-1"];
            client.ask("POST", "/v1/embeddings?secret=secret", &headers, body.as_bytes()).status
        };
        let body = r#"{"input": "secret words", "user": "secret", "model": "secret"}"#;
        assert_eq!(ask(&mut client, "sesame-1", body), 200);
        assert_eq!(ask(&mut client, "sesame-2", body), 401);
        assert_eq!(ask(&mut client, "sesame-1", r#"{"input": {"secret": 1}}"#), 400);
        assert_eq!(client.get("/secret").status, 401);
        server.signal("TERM");
        let (code, log) = server.ended();
        assert_eq!(code, Some(0));
        assert!(!log.contains("secret") && !log.contains("sesame"), "{log}");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("/v1/embeddings")).collect();
        assert_eq!(lines.len(), 3, "{log}");
        if form == "json" {
            let line: Value = serde_json::from_str(lines[0]).expect("JSON");
            assert_eq!(
                (&line["id"], &line["status"], &line["texts"]),
                (&json!("r-1"), &json!(200), &json!(1))
            );
        }
    }
}

#[test]
fn keys_are_read_again_on_hangup() {
    let folder = Folder::new("serve-keys");
    let keys = folder.write("keys.txt", b"old\n");
    let server = Server::start(&["--api-key-file", &keys]);
    let status = |key: &str| {
        let header = format!("Authorization: Bearer {key}");
        server.client().ask("GET", "/v1/models", &[&header], &[]).status
    };
    assert_eq!((status("old"), status("new")), (200, 401));
    folder.write("keys.txt", b"new\n");
    server.signal("HUP");
    let begun = Instant::now();
    while status("new") != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the keys were not read");
    }
    assert_eq!(status("old"), 401);
    folder.write("keys.txt", b"");
    server.signal("HUP");
    assert_eq!(status("new"), 200);
}

#[test]
fn what_cannot_be_served_is_said() {
    let taken = Server::start(&[]);
    let port = taken.host.rsplit_once(':').expect("a port").1.to_owned();
    let outcome = run(&["serve", "--port", &port]);
    let said = outcome.failure(1);
    assert!(said.starts_with(&format!("cannot listen at http://127.0.0.1:{port}: ")), "{said}");
    let missing = run(&["serve", "--port", "0", "--api-key-file", "missing.txt"]);
    assert!(missing.failure(1).starts_with("cannot read missing.txt: "));
}

/// A copy of the build's model in a folder of its own, and a server of that file; none if the model is large or inside
/// the binary.
fn server_of_a_copy(name: &str) -> Option<(Folder, String, Server)> {
    if skip_on_large_model() || monomorph::built::IS_EMBEDDED {
        return None;
    }
    let folder = Folder::new(name);
    let bytes = fs::read(monomorph::built::SOURCE).expect("the model of the build");
    let model = folder.write("model.gguf", &bytes);
    let server = Server::start(&["--model", &model]);
    Some((folder, model, server))
}

/// Vectors of half a file are nobody's: a model that is written to is served no more.
#[test]
fn a_model_that_changes_is_not_served() {
    let Some((_folder, model, server)) = server_of_a_copy("serve-changed") else { return };
    let body = r#"{"input": "a"}"#;
    assert_eq!(server.client().post("/v1/embeddings", body).status, 200);
    // In place: what is mapped must not become shorter.
    let bytes = fs::read(&model).expect("the file");
    let mut file = fs::File::options().write(true).open(&model).expect("the file");
    file.write_all(&bytes).expect("the file");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time");
    let answer = server.client().post("/v1/embeddings", body);
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("model.gguf"), "{}", answer.text());
    assert_eq!(server.client().get("/livez").status, 503);
}

/// The server keeps the file that it opened.
#[cfg(unix)]
#[test]
fn a_model_that_is_replaced_by_renaming_is_served_on() {
    let Some((folder, model, server)) = server_of_a_copy("serve-renamed") else { return };
    let body = r#"{"input": "a"}"#;
    let before = good(&server.client().post("/v1/embeddings", body));
    fs::rename(folder.write("other.gguf", b"no model"), &model).expect("a new file");
    assert_eq!(good(&server.client().post("/v1/embeddings", body))["data"], before["data"]);
    fs::remove_file(&model).expect("the new file");
    assert_eq!(good(&server.client().post("/v1/embeddings", body))["data"], before["data"]);
    assert_eq!(server.client().get("/livez").status, 200);
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_listened_at() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let folder = Folder::new("serve-uds");
    let path = folder.argument("s");
    // One that was left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let mut child =
        command(&["serve", "--uds", &path]).stderr(Stdio::null()).spawn().expect("a start");
    let begun = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(10), "nobody listens"),
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
        .expect("a write");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    run(&["health", "--uds", &path]).good();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(!std::path::Path::new(&path).exists());
}
