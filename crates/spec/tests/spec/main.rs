//! How headers are judged, good ones and bad ones.

mod allocations;
mod bert;
mod byte_level;
mod cases;
mod differences;
mod encoder;
mod families;
mod language_model;
mod malformed;
mod real_files;

use monomorph_gguf::{Error, Vocabulary};
use monomorph_spec::Spec;
use monomorph_testing::counting_allocator::Counting;
use monomorph_testing::files::parse;

/// `allocations` counts with it.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Everything a build asks of a file.
fn judge(bytes: &[u8]) -> Result<Spec, Error> {
    let header = parse(bytes)?;
    Vocabulary::from_header(&header)?;
    Spec::from_header(&header)
}
