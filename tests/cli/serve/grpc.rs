//! gRPC with grpcio, which learns the services by reflection.
//!
//! Runs where `environment` says, with a binary that has gRPC.

use std::path::Path;

use super::clients::case;
use super::environment::{is_asked_for, python, say};
use super::*;

const PACKAGES: [&str; 4] = ["grpcio", "grpcio-health-checking", "grpcio-reflection", "numpy"];

#[test]
fn grpcio_gets_the_librarys_bits() {
    if !is_asked_for(&[]) {
        return;
    }
    if !cfg!(feature = "grpc") {
        return say("SKIPPED: gRPC: built without --features grpc");
    }
    let python = match python("grpc-venv", &PACKAGES) {
        Ok(python) => python,
        Err(reason) => return say(&format!("SKIPPED: no Python with the packages: {reason}")),
    };
    let folder = Folder::new("grpc");
    let case = folder.write("case.json", case().to_string().as_bytes());
    let keys = folder.write("keys.txt", b"sesame\n");
    let server = Server::start(&["--api-key-file", &keys]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/grpc_client.py");
    let mut client = Command::new(python);
    client.arg(script).args([&server.host, &case, "sesame"]);
    let ran = client.output().expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    say(said.trim());
    server.signal("TERM");
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("/tei.v1.Embed/EmbedStream") && !log.contains("sesame"), "{log}");
}
