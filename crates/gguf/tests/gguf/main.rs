//! What files hold is read; what is refused is tested with the judge, in `crates/spec`.

mod valid;
mod vocabulary;
