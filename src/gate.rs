//! The one gate between a file and this binary: after it, no shapes are checked.
//!
//! The file must be the one the binary was built for. Usually its header hashes to the build's value, which takes a
//! fraction of a millisecond. Otherwise the header is parsed and compared, so that a file which differs only in
//! what does not matter (its name, say) still passes, and any other is refused with the first differences. A packed
//! file has the build's hashes on its first page. Bytes pass through the same gate as a file.

use crate::error::{Error, GIVEN_BYTES};
use crate::image;
use crate::watch::Watch;
use monomorph_encoder::weights::Weights;
use monomorph_gguf::Header;
use monomorph_quant::packed::{Label, PAGE};
use monomorph_spec::fingerprint::vocabulary_hash;
use monomorph_spec::{Fingerprint, Spec};
use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// Opens and maps the file if it fits the build's spec and fingerprint.
pub fn open(
    path: &Path,
    spec: &Spec,
    fingerprint: &Fingerprint,
) -> Result<(Weights, Watch), Error> {
    let (weights, watch) = map(path)?;
    Ok((fit(path, weights, spec, fingerprint)?, watch))
}

/// Takes the bytes of a file if they fit.
pub fn open_bytes(
    bytes: Cow<'static, [u8]>,
    spec: &Spec,
    fingerprint: &Fingerprint,
) -> Result<Weights, Error> {
    let path = Path::new(GIVEN_BYTES);
    let weights =
        Weights::of_bytes(bytes).map_err(|error| Error::Open { path: path.into(), error })?;
    fit(path, weights, spec, fingerprint)
}

/// The weights of a file, GGUF or packed, if it fits.
fn fit(
    path: &Path,
    weights: Weights,
    spec: &Spec,
    fingerprint: &Fingerprint,
) -> Result<Weights, Error> {
    let bytes = weights.bytes();
    if let Some(label) = Label::of(bytes) {
        let fits =
            |label: Label| label.check(spec, fingerprint, bytes.len() as u64).map(|()| label);
        let unfit = |reason| Error::Packed { path: path.into(), reason };
        let label = label.and_then(fits).map_err(unfit)?;
        return Ok(weights.into_image(spec, label.form, PAGE));
    }
    if !fingerprint.has_header(bytes, bytes.len() as u64) {
        compare(path, bytes, spec, fingerprint)?;
    }
    Ok(weights)
}

/// Checks that the whole file hashes to the build's value.
pub fn verify(path: &Path, spec: &Spec, fingerprint: &Fingerprint) -> Result<(), Error> {
    let (weights, watch) = open(path, spec, fingerprint)?;
    let content = content(weights.bytes());
    watch.check()?;
    if content == Some(fingerprint.content) {
        Ok(())
    } else {
        Err(Error::Content { path: path.into() })
    }
}

/// The hash of the GGUF file that a file is or was packed from; none if what was packed has changed since.
pub fn content(bytes: &[u8]) -> Option<u128> {
    match Label::of(bytes) {
        Some(label) => {
            let label = label.ok()?;
            (xxh3_128(bytes.get(PAGE..)?) == label.hash).then_some(label.fingerprint.content)
        }
        None => Some(xxh3_128(bytes)),
    }
}

/// Checks that the weights inside this executable hash to the build's value.
pub fn verify_embedded() -> Result<(), Error> {
    match image::bytes() {
        Some(bytes) if Some(xxh3_128(bytes)) != image::hash() => Err(Error::Damaged),
        _ => Ok(()),
    }
}

/// Maps a regular file.
fn map(path: &Path) -> Result<(Weights, Watch), Error> {
    let failed = |error| Error::Open { path: path.into(), error };
    // Looked at before opening: opening a pipe would wait for a writer.
    refuse_irregular(&fs::metadata(path).map_err(failed)?).map_err(failed)?;
    let file = File::open(path).map_err(failed)?;
    refuse_irregular(&file.metadata().map_err(failed)?).map_err(failed)?;
    let watch = Watch::new(file, path).map_err(failed)?;
    let weights = Weights::map(watch.file()).map_err(failed)?;
    // A mapping of another length than the file that is watched would be truncated silently.
    watch.check()?;
    Ok((weights, watch))
}

fn refuse_irregular(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let kind = if found.is_dir() { "is a directory" } else { "is not a regular file" };
    Err(io::Error::other(format!("it {kind}; give the path of a GGUF file")))
}

/// Compares a header that is not the build's byte for byte.
fn compare(path: &Path, bytes: &[u8], spec: &Spec, fingerprint: &Fingerprint) -> Result<(), Error> {
    let failed = |error| Error::Gguf { path: path.into(), error };
    let header = Header::parse(bytes, bytes.len() as u64).map_err(failed)?;
    // Another model may not allow the build's choices.
    let found =
        Spec::from_header_with(&header, spec.options).or_else(|_| Spec::from_header(&header));
    let mut differences = found.map_err(failed)?.differences(spec);
    if differences.is_empty() && vocabulary_hash(&header).map_err(failed)? != fingerprint.vocabulary
    {
        differences.push("another vocabulary".to_owned());
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::WrongModel { path: path.into(), differences })
}
