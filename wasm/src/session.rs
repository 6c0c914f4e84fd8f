//! The one model of an instance, and the buffers that it shares with JavaScript.

use crate::request::Request;
use monomorph::{Embedder, built};
use std::fmt::Write;
use std::sync::Mutex;

/// The instance's state.
pub static SESSION: Mutex<Session> = Mutex::new(Session::NEW);

/// The message of the last failure or panic.
pub static MESSAGE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Where weights begin, so that they need not be copied.
const ALIGNMENT: usize = 64;

/// A model and its buffers.
pub struct Session {
    embedder: Option<Embedder>,
    weights: Option<&'static mut [u8]>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Session {
    const NEW: Session =
        Session { embedder: None, weights: None, request: Vec::new(), answer: Vec::new() };

    /// Memory for weights; null if there is none. It stays with the instance, even if they turn out not to fit.
    pub fn room_for_weights(&mut self, len: usize) -> *mut u8 {
        let mut memory = Vec::new();
        if memory.try_reserve_exact(len.saturating_add(ALIGNMENT)).is_err() {
            return std::ptr::null_mut();
        }
        memory.resize(len + ALIGNMENT, 0);
        let memory: &'static mut [u8] = memory.leak();
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let weights = self.weights.insert(&mut memory[start..start + len]);
        weights.as_mut_ptr()
    }

    /// Memory for a request.
    pub fn room_for_request(&mut self, len: usize) -> *mut u8 {
        self.request.clear();
        self.request.resize(len, 0);
        self.request.as_mut_ptr()
    }

    /// Opens the model, from the weights or from inside the module.
    pub fn open(&mut self) -> Result<(), String> {
        let options = Request::read(&self.request)?.open_options()?;
        let opened = match self.weights.take() {
            Some(weights) => options.open_bytes(&*weights),
            None if built::IS_EMBEDDED => options.open_built(),
            None => {
                return Err("the weights are not inside this module; give them to load".to_owned());
            }
        };
        self.embedder = Some(opened.map_err(|error| error.to_string())?);
        Ok(())
    }

    /// Embeds the texts of the request.
    pub fn embed(&mut self) -> Result<(), String> {
        let embedder = self.embedder.as_ref().ok_or("no model is open")?;
        let request = Request::read(&self.request)?;
        let options = request.embed_options(embedder)?;
        let embeddings =
            embedder.run(&request.texts, &options).map_err(|error| error.to_string())?;
        self.answer.clear();
        for embedding in &embeddings {
            self.answer.extend(embedding.vector.iter().flat_map(|value| value.to_le_bytes()));
        }
        Ok(())
    }

    /// Describes the model.
    pub fn describe(&mut self) -> Result<(), String> {
        let embedder = self.embedder.as_ref().ok_or("no model is open")?;
        let (info, spec) = (embedder.info(), embedder.spec());
        let prompts: Vec<&str> =
            spec.prompts.iter().filter_map(|prompt| prompt.names.first().copied()).collect();
        let mut lines = String::new();
        for (name, value) in [
            ("name", built::NAME),
            ("dimensions", &info.dimensions.to_string()),
            ("contextTokens", &info.n_ctx.to_string()),
            ("isa", info.isa),
            ("prompts", &prompts.join(" ")),
        ] {
            // A name comes from the model's file.
            let _ = writeln!(lines, "{name}\t{}", value.replace(char::is_control, " "));
        }
        self.answer = lines.into_bytes();
        Ok(())
    }

    /// The answer of the last call.
    pub fn answer(&self) -> &[u8] {
        &self.answer
    }
}
