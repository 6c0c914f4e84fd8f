//! Tests that valid files are read. Tests of what is refused are in `crates/spec`, where the whole header is judged.

mod valid;
mod vocabulary;
