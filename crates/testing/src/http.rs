//! An HTTP client for tests of servers: one connection, one request at a time, every wait bounded.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The longest that a test waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a server.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to `host:port`.
    pub fn connect(host: &str) -> Client {
        let stream = TcpStream::connect(host).expect("a server that listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Client { stream: BufReader::new(stream), host: host.to_owned() }
    }

    /// Asks, with these further header lines, and reads the answer.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        self.begin(method, path, headers, body);
        self.answer(method != "HEAD")
    }

    /// Asks, with these further header lines, and leaves the answer to be read.
    pub fn begin(&mut self, method: &str, path: &str, headers: &[&str], body: &[u8]) {
        let host = self.host.clone();
        let own = format!("Host: {host}");
        let has_host = headers.iter().any(|line| line.to_ascii_lowercase().starts_with("host:"));
        let mut lines: Vec<&str> = headers.to_vec();
        if !has_host {
            lines.push(&own);
        }
        let length = format!("Content-Length: {}", body.len());
        if !body.is_empty() {
            lines.push(&length);
        }
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        self.send(head.as_bytes());
        // A server that refuses the head may close before it has read the body.
        let _ = self.stream.get_mut().write_all(body);
    }

    /// Sends a body of JSON.
    pub fn post(&mut self, path: &str, json: &str) -> Answer {
        self.ask("POST", path, &["Content-Type: application/json"], json.as_bytes())
    }

    /// Reads a resource.
    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], &[])
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("an open connection");
    }

    /// Says that nothing more will be sent.
    pub fn shut_down(&mut self) {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write).expect("an open connection");
    }

    /// Reads an answer.
    pub fn answer(&mut self, has_body: bool) -> Answer {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).expect("an answer in time");
            assert!(read > 0, "the connection ended after {lines:?}");
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0].split(' ').nth(1).and_then(|word| word.parse().ok());
        let header = |line: &String| {
            let (name, value) = line.split_once(':').expect("a header");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers: Vec<(String, String)> = lines[1..].iter().map(header).collect();
        let mut answer = Answer { status: status.expect("a status"), headers, body: Vec::new() };
        if has_body {
            let length = answer.header("content-length").expect("a length").parse();
            answer.body.resize(length.expect("a length"), 0);
            self.stream.read_exact(&mut answer.body).expect("a whole body in time");
        }
        answer
    }

    /// Whether the server has closed the connection; waits for it a little.
    pub fn is_closed(&mut self) -> bool {
        self.stream.get_ref().set_read_timeout(Some(Duration::from_secs(5))).expect("a socket");
        let read = self.stream.read(&mut [0; 1]);
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).expect("a socket");
        match read {
            Ok(n) => n == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}
