//! The server over the fake engine, from the outside: a request in, an answer out.

mod access;
mod cached;
mod drain;
mod embed_all;
mod errors;
mod faults;
#[cfg(feature = "grpc-tests")]
mod grpc;
mod llama;
mod ollama;
mod openai;
mod openapi;
mod operations;
mod page;
mod table;
mod tei;
mod times;
mod wire;

use crate::fake::{Fake, wait_until};
use crate::{Address, Ending, Options, Server, Stop};
use monomorph_testing::http::{Answer, Client};
use serde_json::Value;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A server at a free port, until the value is dropped.
struct Running {
    fake: Arc<Fake>,
    host: String,
    stop: Stop,
    thread: Option<JoinHandle<Ending>>,
}

impl Running {
    fn new() -> Running {
        Running::with(|_| {})
    }

    /// With options that differ from the default ones.
    fn with(change: impl FnOnce(&mut Options)) -> Running {
        let fake = Fake::new();
        let mut options = Options::new("fake-1");
        options.address = Address::Tcp { host: "127.0.0.1".to_owned(), port: 0 };
        change(&mut options);
        let server = Server::with_clock(fake.clone(), options, fake.clock()).unwrap();
        let host = server.address().to_string().split_off("http://".len());
        let stop = server.stop();
        let thread = std::thread::spawn(move || server.run().unwrap());
        Running { fake, host, stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::connect(&self.host)
    }

    fn post(&self, path: &str, json: &str) -> Answer {
        self.client().post(path, json)
    }

    fn get(&self, path: &str) -> Answer {
        self.client().get(path)
    }

    /// The body of an answer that must be good.
    fn good(&self, path: &str, json: &str) -> Value {
        let answer = self.post(path, json);
        assert_eq!(answer.status, 200, "{}", answer.text());
        parsed(&answer)
    }

    /// Waits until the engine is timed: passes have 193 tokens at most.
    fn calibrated(&self) {
        wait_until(|| self.fake.ended() == 5);
        wait_until(|| self.metric("monomorph_pass_budget_tokens") == 193.0);
    }

    /// How it ends, once it is told to.
    fn ended(&mut self) -> Ending {
        self.thread.take().unwrap().join().unwrap()
    }

    /// The value of a metric, labels included in its name.
    fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics");
        let line =
            answer.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.fake.hold(false);
        self.stop.end();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn parsed(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// A vector of numbers, rounded to float32 as clients round it.
fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}
