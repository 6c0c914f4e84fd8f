//! The files of examples/deploy, with the programs that they are for.

mod balancers;
mod files;
mod queue;
#[cfg(unix)]
mod systemd;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::environment::{is_asked_for, path_of, python, say};
use super::*;

/// What the tests need from PyPI.
const PACKAGES: [&str; 3] = ["kubernetes-validate", "pyyaml", "redis"];

/// A program of somebody else's, until the value is dropped.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::null()).spawn().expect("it starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens at.
pub fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port().to_string()
}

/// Waits until somebody listens there.
pub fn wait_for(host: &str) {
    let begun = Instant::now();
    while std::net::TcpStream::connect(host).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody listens at {host}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A file of the examples.
pub fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/deploy").join(name)
}

/// Its text, with other words for some of its own, each of which must be there.
pub fn adapted(name: &str, words: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(example(name)).expect("an example");
    words.iter().fold(text, |text, (own, other)| {
        assert!(text.contains(own), "{name} has no {own}");
        text.replace(own, other)
    })
}
