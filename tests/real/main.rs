//! Real models against their originals' vectors and ids. Each test says loudly what it needs and does not have.

mod golden;
mod real_files;
mod real_model;
#[path = "../model/support.rs"]
mod support;
mod tokenizer_golden;
