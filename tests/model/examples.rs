//! The examples run on the built model.

#[path = "../../examples/search.rs"]
mod search;
#[path = "../../examples/similarity.rs"]
mod similarity;
#[path = "../../examples/stream.rs"]
mod stream;

#[test]
fn similarity_runs() {
    similarity::main().expect("an answer");
}

#[test]
fn search_runs() {
    search::main().expect("an answer");
}

#[test]
fn stream_runs() {
    stream::main().expect("a quiet end");
}
