//! The way of texts through the model, in parts.

use crate::embedder::Embedder;
use crate::error::Error;
use monomorph_encoder::{Resting, Stop};
use std::sync::atomic::AtomicBool;

/// A pass over one or more texts that can rest between two of the model's layers, so that long work does not keep short
/// texts waiting: while it rests, others may be embedded. [`Embedder::pass`] begins one.
pub struct Pass<'a> {
    pub(crate) embedder: &'a Embedder,
    pub(crate) ids: &'a [&'a [u32]],
    /// None before it is first resumed.
    pub(crate) resting: Option<Resting>,
}

impl Pass<'_> {
    /// Goes on until `rows` are written, with [`Info::dimensions`](crate::Info::dimensions) values and the bits of
    /// [`Embedder::embed_ids`] for each text (true), or until `pause`, which any thread may call between two layers, says
    /// so; by a layer at least. Waits for other requests that run. Once all is written, or there was an error but
    /// [`Error::Rows`], it would begin again.
    ///
    /// # Errors
    /// As of [`Embedder::embed_ids`].
    pub fn resume(
        &mut self,
        cancel: Option<&AtomicBool>,
        pause: &(dyn Fn() -> bool + Sync),
        rows: &mut [f32],
    ) -> Result<bool, Error> {
        let never = AtomicBool::new(false);
        let stop = Stop { cancel: cancel.unwrap_or(&never), pause };
        self.embedder.resume(self.ids, &mut self.resting, stop, rows)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.embedder.end(self.resting.take());
    }
}
