//! `serve`, from the outside: real requests to the binary, whose vectors must have the library's bits.

mod bits;
mod clients;
mod deploy;
mod described;
mod environment;
mod grpc;
mod health;
mod life;
mod page;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use monomorph_testing::http::{Answer, Client};
use serde_json::Value;

use super::support::*;

/// A running server; it is stopped when the value is dropped.
pub struct Server {
    child: Child,
    /// Host and port.
    pub host: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one at a free port, with these further arguments.
    pub fn start(arguments: &[&str]) -> Server {
        Server::of(command(&[&["serve", "--port", "0"], arguments].concat()))
    }

    /// Starts one by this command.
    pub fn of(mut command: Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let log: Arc<Mutex<String>> = Arc::default();
        let shared = log.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.lock().expect("the log").push_str(&(line + "\n"));
            }
        });
        let mut server = Server { child, host: String::new(), log, reader: Some(reader) };
        let begun = Instant::now();
        while server.host.is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody listens: {}", server.said());
            std::thread::sleep(Duration::from_millis(2));
            server.host = address(&server.said()).unwrap_or_default();
        }
        server
    }

    /// The log so far.
    fn said(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.host)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill").success());
    }

    /// The exit code, and all that the server said, once it has been told to end.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let code = self.wait().expect("an end in time");
        self.reader.take().map(JoinHandle::join);
        (code, self.said())
    }

    fn wait(&mut self) -> Option<Option<i32>> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status.code());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.reader.take().map(JoinHandle::join);
    }
}

/// Host and port that a log names.
fn address(log: &str) -> Option<String> {
    let (line, _) = log.split_once("http://")?.1.split_once('\n')?;
    line.split([' ', '"']).next().map(str::to_owned)
}

/// The body of an answer that must be good.
pub fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).expect("JSON")
}
