//! Packing: the weights as one file that programs of the same build use in place, without a GGUF file.

use crate::built::{self, FINGERPRINT, SPEC};
use crate::error::Error;
use crate::{gate, image};
use monomorph_encoder::weights::Weights;
use monomorph_quant::image::{ALIGNMENT, Form, layout, length, panels};
use monomorph_quant::packed::Label;
use std::io::{self, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Writes a packed file of the weights of `model`, or of the build's weights: what
/// [`OpenOptions::open_bytes`](crate::OpenOptions::open_bytes) and [`Embedder::open`](crate::Embedder::open) take
/// beside GGUF files. It fits binaries of this model alone. [`Form::Panels`] needs no more work when it is opened, and
/// [`Form::Blocks`] is smaller where weights have fewer than eight bits. Returns the number of bytes.
///
/// # Errors
/// As of [`Embedder::open`](crate::Embedder::open); [`Error::Panels`] for blocks of weights that are panels already;
/// [`Error::Write`].
pub fn pack(model: Option<&Path>, form: Form, to: &mut impl Write) -> Result<u64, Error> {
    match (model, image::bytes()) {
        (None, Some(bytes)) => {
            gate::verify_embedded()?;
            let weights = Weights::image(&SPEC, built::IMAGE_FORM, bytes);
            pack_weights(&weights, FINGERPRINT.content, form, to)
        }
        _ => {
            let path = model.unwrap_or(built::SOURCE.as_ref());
            let (weights, watch) = gate::open(path, &SPEC, &FINGERPRINT)?;
            let content =
                gate::content(weights.bytes()).ok_or(Error::Content { path: path.into() })?;
            let n_bytes = pack_weights(&weights, content, form, to)?;
            watch.check()?;
            Ok(n_bytes)
        }
    }
}

fn pack_weights(
    weights: &Weights,
    content: u128,
    form: Form,
    to: &mut impl Write,
) -> Result<u64, Error> {
    let mut hash = Hash(Xxh3::new());
    write_image(weights, form, &mut hash)?;
    // The hash stands before the image, which is therefore made twice: `to` may be a pipe.
    let n_bytes = length(&layout(&SPEC, form));
    let fingerprint = monomorph_spec::Fingerprint { content, ..FINGERPRINT };
    let page = Label { form, fingerprint, n_bytes, hash: hash.0.digest128() }.page();
    to.write_all(&page).map_err(Error::Write)?;
    write_image(weights, form, to)?;
    to.flush().map_err(Error::Write)?;
    Ok(page.len() as u64 + n_bytes)
}

fn write_image(weights: &Weights, form: Form, to: &mut impl Write) -> Result<(), Error> {
    for stored in layout(&SPEC, form) {
        let (bytes, is_panels) = weights.stored(&stored.tensor);
        match (stored.is_panels, is_panels) {
            (true, false) => to.write_all(bytemuck::cast_slice(&panels(stored.tensor, bytes))),
            (false, true) => return Err(Error::Panels),
            (true, true) | (false, false) => to.write_all(bytes),
        }
        .map_err(Error::Write)?;
        let rest = stored.end().next_multiple_of(ALIGNMENT) - stored.end();
        to.write_all(&[0; ALIGNMENT as usize][..rest as usize]).map_err(Error::Write)?;
    }
    Ok(())
}

/// Hashes what is written to it.
struct Hash(Xxh3);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
