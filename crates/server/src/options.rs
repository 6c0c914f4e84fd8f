//! What whoever starts the server chooses.

use crate::access::Keys;
use crate::address::Address;
use crate::engine::{Prompt, Truncate};
use std::time::Duration;

/// What whoever starts the server chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub address: Address,
    /// The names under which the model is known, the canonical one first.
    pub names: Vec<String>,
    /// Refuse requests for a model of another name.
    pub strict_model: bool,
    /// What is put before texts whose request names no prompt: one of the model's, or `none`, or `custom`.
    pub prompt: Prompt,
    /// What is done with long texts where the request does not say.
    pub truncate: Truncate,
    /// Take token ids on OpenAI's route.
    pub token_ids: bool,
    /// The keys of which a client must have one; none if everybody is served.
    pub keys: Keys,
    /// Host names other than loopback's under which a server on loopback may be asked.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call the server.
    pub cors_origins: Vec<String>,
    /// Whether browsers are shown a page at `/`.
    pub page: bool,
    /// The numbers.
    pub limits: Limits,
    /// When the binary was built or its model made, in seconds since 1970.
    pub created: u64,
}

/// A server's limits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Texts of a request.
    pub batch: usize,
    /// Tokens of a request.
    pub request_tokens: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of all bodies at once, until their requests are answered.
    pub bodies: usize,
    /// Requests that would wait longer are refused.
    pub wait: Duration,
    /// No request takes longer.
    pub timeout: Duration,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// Time for a request's head to arrive, from its first byte on.
    pub head_time: Duration,
    /// Time for a connection's next request to begin.
    pub idle_time: Duration,
    /// Time for a client to take more of an answer.
    pub write_time: Duration,
    /// The longest a pass should take.
    pub pass: Duration,
    /// Bytes of rows that are kept for texts that come again; zero for none.
    pub cache: usize,
    /// Connections at once.
    pub connections: usize,
    /// How long a shutdown waits for requests under way.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        let seconds = Duration::from_secs;
        Limits {
            batch: 2048,
            request_tokens: 300_000,
            body: 16 << 20,
            bodies: 256 << 20,
            wait: seconds(30),
            timeout: seconds(300),
            body_time: seconds(60),
            head_time: seconds(10),
            // Above the 60 s that nginx keeps its connections.
            idle_time: seconds(75),
            write_time: seconds(30),
            pass: Duration::from_millis(75),
            cache: 0,
            connections: 1024,
            drain: seconds(30),
        }
    }
}

impl Options {
    /// Default options for a model of this name.
    pub fn new(name: impl Into<String>) -> Options {
        Options {
            address: Address::Tcp { host: "127.0.0.1".to_owned(), port: 8080 },
            names: vec![name.into()],
            strict_model: false,
            prompt: Prompt { name: "none".to_owned(), prefix: String::new() },
            truncate: Truncate::End,
            token_ids: false,
            keys: Keys::default(),
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            page: true,
            limits: Limits::default(),
            created: 0,
        }
    }
}
