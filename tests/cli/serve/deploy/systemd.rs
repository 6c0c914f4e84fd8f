//! Started by systemd: at a socket that is open already, and telling when it serves.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use super::*;

/// `systemd-socket-activate` does what systemd does for a socket unit.
#[test]
fn the_first_connection_starts_the_server() {
    if !is_asked_for(&["systemd-socket-activate"]) {
        return;
    }
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &address, env!("CARGO_BIN_EXE_monomorph"), "serve", "--host", "0.0.0.0"]);
    let _server = Running::start(command.stderr(Stdio::null()));
    wait_for(&address);
    // The socket is loopback's, whatever --host says, so that no key is needed.
    let mut client = Client::connect(&address);
    let answer = client.post("/v1/embeddings", &json!({"input": "Mars is red."}).to_string());
    assert_eq!(good(&answer)["data"].as_array().expect("a list").len(), 1);
}

#[test]
fn systemd_takes_the_units() {
    if !is_asked_for(&["systemd-analyze"]) {
        return;
    }
    let folder = Folder::new("units");
    // It looks for the program, too.
    let binary = ("/usr/local/bin/monomorph", env!("CARGO_BIN_EXE_monomorph"));
    let service =
        folder.write("monomorph.service", adapted("monomorph.service", &[binary]).as_bytes());
    let socket = folder.write("monomorph.socket", adapted("monomorph.socket", &[]).as_bytes());
    let ran = Command::new("systemd-analyze").args(["verify", &service, &socket]).output();
    let ran = ran.expect("systemd-analyze starts");
    let said = String::from_utf8_lossy(&ran.stderr);
    // Unknown words are only warnings.
    assert!(ran.status.success() && !said.contains(&folder.argument("")), "{said}");
}

/// Needs nothing but a socket to be told at.
#[test]
fn systemd_is_told_what_happens() {
    let folder = Folder::new("serve-notify");
    let path = folder.path("n");
    let told = UnixDatagram::bind(&path).expect("a socket");
    told.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let heard = || {
        let mut bytes = [0; 1000];
        let n = told.recv(&mut bytes).expect("a message in time");
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    };
    let mut command = command(&["serve", "--port", "0"]);
    let mut child =
        command.env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().expect("a start");
    assert!(heard().contains("READY=1"));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    assert!(heard().contains("STOPPING=1"));
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}
