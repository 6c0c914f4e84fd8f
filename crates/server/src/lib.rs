//! An HTTP server for embeddings: the routes that existing clients speak, over any [`Engine`].
//!
//! ```text
//! connection -> request -> texts -> ids -> queue -> pass -> vectors -> answer
//! listen        app        routes/  embed  queue    dispatcher        routes/
//! ```
//!
//! A request's texts become ids, and wait in the queue. One thread, the dispatcher, takes from it what makes up a
//! pass, runs the engine over it, and hands each text's vector to the request that it belongs to. There is no waiting
//! for company: a pass begins as soon as the engine is free and a text is there.
//!
//! What this crate must never do: know a model, give a text a vector that depends on its company, write a text, a
//! vector or a key to a log, panic on what a client sends.

#![forbid(unsafe_code)]

mod access;
mod address;
mod answer;
mod app;
mod body;
mod cache;
mod date;
mod dispatcher;
mod embed;
mod engine;
mod failure;
#[cfg(test)]
mod fake;
#[cfg(feature = "grpc")]
mod grpc;
mod inputs;
mod listen;
mod log;
mod metrics;
mod options;
mod pace;
mod process;
mod queue;
mod report;
mod routes;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod whole;

pub use access::Keys;
pub use address::{Address, Inherited};
pub use engine::{Between, Encoding, Engine, EngineError, Facts, Prompt, Token, TooLong, Truncate};
pub use log::LogFormat;
pub use options::{Limits, Options};
pub use server::{Ending, Server, Stop};
