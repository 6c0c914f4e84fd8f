//! The model of a build as the server's engine. It belongs to the binary, so it is compiled here once more.

#[path = "../../src/cli/serve/engine.rs"]
pub mod engine;
#[path = "../../src/cli/serve/tokens.rs"]
pub mod tokens;
