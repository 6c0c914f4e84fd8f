//! The exports of the WebAssembly module, which `monomorph.js` calls. There is one model in an instance of the module.
//!
//! Strings and vectors lie in buffers that the module owns: JavaScript writes its request to `request`, and reads the
//! answer from where `answer` points. A call that fails leaves its message there and returns 1.
//!
//! The exports need names without Rust's decoration, which the compiler counts as unsafe: two of the same name would be
//! one. Nothing else here is.

#![allow(unsafe_code)]

mod request;
mod session;

use session::{MESSAGE, SESSION, Session};
use std::sync::PoisonError;

/// Prepares messages of panics. To be called once, first.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    std::panic::set_hook(Box::new(|info| set_message(info.to_string())));
}

/// Makes room for `len` bytes of weights, and returns where they are to be written; null if there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn weights(len: usize) -> *mut u8 {
    forget_message();
    with(|session| session.room_for_weights(len))
}

/// Makes room for a request of `len` bytes, and returns where it is to be written.
#[unsafe(no_mangle)]
pub extern "C" fn request(len: usize) -> *mut u8 {
    forget_message();
    with(|session| session.room_for_request(len))
}

/// Opens the model: from the weights, or from inside the module if no room was made for any. The request holds options.
#[unsafe(no_mangle)]
pub extern "C" fn open() -> u32 {
    with(|session| status(session.open()))
}

/// Embeds the texts of the request. The answer is their vectors, one after another.
#[unsafe(no_mangle)]
pub extern "C" fn embed() -> u32 {
    with(|session| status(session.embed()))
}

/// Describes the model: the answer is lines of a name and a value.
#[unsafe(no_mangle)]
pub extern "C" fn describe() -> u32 {
    with(|session| status(session.describe()))
}

/// Where the answer of the last call begins.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    with(|session| session.answer().as_ptr())
}

/// The answer's length in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn answer_len() -> usize {
    with(|session| session.answer().len())
}

/// Where the message of the last failure or panic begins.
#[unsafe(no_mangle)]
pub extern "C" fn message() -> *const u8 {
    MESSAGE.lock().unwrap_or_else(PoisonError::into_inner).as_ptr()
}

/// The message's length in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn message_len() -> usize {
    MESSAGE.lock().unwrap_or_else(PoisonError::into_inner).len()
}

fn with<R>(act: impl FnOnce(&mut Session) -> R) -> R {
    act(&mut SESSION.lock().unwrap_or_else(PoisonError::into_inner))
}

fn status(done: Result<(), String>) -> u32 {
    set_message(done.as_ref().err().cloned().unwrap_or_default());
    u32::from(done.is_err())
}

/// A trap without a panic, as when memory runs out, leaves no message, and must not find that of an earlier failure.
fn forget_message() {
    set_message(String::new());
}

fn set_message(message: String) {
    *MESSAGE.lock().unwrap_or_else(PoisonError::into_inner) = message.into_bytes();
}
