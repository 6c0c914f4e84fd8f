//! An output must be none of the files that a run reads: their content would be gone.

use std::fs;
use std::path::Path;

use super::{names_stdout, resolve};
use crate::cli::failure::Failure;

/// A file that a run reads, and what it is for.
pub type Read<'a> = (&'static str, &'a Path);

/// Refuses an output that is one of these files, by whatever name or link.
pub fn must_be_none_of<'a>(
    output: Option<&Path>,
    read: impl IntoIterator<Item = Read<'a>>,
) -> Result<(), Failure> {
    let output = output.unwrap_or(Path::new("-"));
    match read.into_iter().find(|(_, path)| is_same(output, path)) {
        Some((what, _)) => Err(Failure::Usage(format!(
            "--output {} is also {what}; name another file",
            output.display()
        ))),
        None => Ok(()),
    }
}

fn is_same(output: &Path, read: &Path) -> bool {
    let written = if names_stdout(output) { Path::new("/dev/stdout") } else { output };
    let read = if read == Path::new("-") { Path::new("/dev/stdin") } else { read };
    let (Ok(a), Ok(b)) = (fs::metadata(written), fs::metadata(read)) else { return false };
    a.is_file() && b.is_file() && (resolve(written) == resolve(read) || is_one(&a, &b))
}

/// Whether two names are links to one file.
#[cfg(unix)]
fn is_one(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_one(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}
