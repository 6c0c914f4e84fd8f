//! What is generated, and the files in `testdata` that it is generated from.

mod golden;
mod headers;
mod tiny;
