//! What the fuzz targets share.

#[cfg(feature = "tables")]
pub mod cli;
#[cfg(feature = "server")]
pub mod server;

use monomorph_gguf::{Error, Header, Vocabulary};
use monomorph_spec::Spec;
use monomorph_testing::counting_allocator::watch;

/// Judges the beginning of a file as a build does, and asserts what must hold for any file: error messages have one
/// line, tensors lie inside the file, and no more memory is used than crates/spec/tests/spec/allocations.rs allows.
pub fn judge(bytes: &[u8], file_len: u64) {
    let mut outcome: Result<(), Error> = Ok(());
    let counts = watch(|| outcome = judge_unwatched(bytes, file_len));
    assert!(
        counts.peak_bytes <= 8 * bytes.len() + 4096,
        "{} bytes allocated for a header of {}",
        counts.peak_bytes,
        bytes.len()
    );
    if let Err(error) = outcome {
        let message = error.to_string();
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert!(message.len() < 1000, "{} bytes of message: {message}", message.len());
    }
}

fn judge_unwatched(bytes: &[u8], file_len: u64) -> Result<(), Error> {
    let header = Header::parse(bytes, file_len)?;
    for (_, value) in header.metadata.iter() {
        std::hint::black_box(value.to_string());
    }
    for tensor in &header.tensors {
        assert!(tensor.absolute_offset >= header.data_offset);
        assert!(
            tensor.absolute_offset.checked_add(tensor.n_bytes).is_some_and(|end| end <= file_len)
        );
    }
    let vocabulary = Vocabulary::from_header(&header);
    let spec = Spec::from_header(&header)?;
    for (_, tensor) in spec.tensors() {
        assert!(tensor.offset + tensor.n_bytes <= file_len);
        let blocks = tensor.rows as u64 * (tensor.cols as u64 / u64::from(tensor.kind.block_len()));
        assert_eq!(tensor.n_bytes, blocks * u64::from(tensor.kind.block_bytes()));
    }
    vocabulary.map(drop)
}
