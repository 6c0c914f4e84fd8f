//! Real models against their originals' vectors and ids. Each test that cannot run prints what it needs.

mod families;
mod golden;
mod real_files;
mod real_model;
#[path = "../model/support.rs"]
mod support;
mod tokenizer_golden;
