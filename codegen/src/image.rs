//! Writes the image of a model's weights that goes inside a binary; [`monomorph_quant::image`] describes its layout.

use crate::error::Error;
use monomorph_quant::image::{ALIGNMENT, Form, Stored, layout, length, panels};
use monomorph_spec::Spec;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// Largest image that goes inside a binary, in bytes. Code can reach data at a distance of up to 2 GiB, and the rest of
/// the binary needs some of that.
pub const MAX_BYTES: u64 = 0x7000_0000;

/// Number of bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// An image that has been written.
#[derive(Debug)]
pub struct Image {
    /// The file: `model.bin`.
    pub path: PathBuf,
    /// Its length in bytes.
    pub n_bytes: u64,
    /// XXH3 (128 bits) of its content.
    pub hash: u128,
}

/// Writes the image of a model file to `folder` in this form, one tensor at a time. `spec` is what the header of that file was
/// judged to be.
pub fn write(model: &Path, spec: &Spec, form: Form, folder: &Path) -> Result<Image, Error> {
    let tensors = layout(spec, form);
    let n_bytes = length(&tensors);
    if n_bytes > MAX_BYTES {
        return Err(Error::TooLarge { n_bytes, most: MAX_BYTES });
    }
    let path = folder.join("model.bin");
    let unread = |error| Error::Read(model.into(), error);
    let unwritten = |error| Error::Write(path.clone(), error);
    let mut model = File::open(model).map_err(unread)?;
    let file = File::create(&path).map_err(unwritten)?;
    let mut to = Hashed { file: BufWriter::with_capacity(PIECE, file), hash: Xxh3::new() };
    let mut blocks = Vec::new();
    for stored in &tensors {
        model.seek(SeekFrom::Start(stored.tensor.offset)).map_err(unread)?;
        let mut left = stored.tensor.n_bytes as usize;
        while left > 0 {
            blocks.resize(if stored.is_panels { left } else { left.min(PIECE) }, 0);
            model.read_exact(&mut blocks).map_err(unread)?;
            to.put(stored, &blocks).map_err(unwritten)?;
            left -= blocks.len();
        }
        to.pad(stored).map_err(unwritten)?;
    }
    let hash = to.hash.digest128();
    to.file.flush().map_err(unwritten)?;
    Ok(Image { path, n_bytes, hash })
}

impl Image {
    /// The path as a string literal for the assembler.
    pub fn quoted_path(&self) -> String {
        let path = self.path.to_string_lossy();
        format!("\"{}\"", path.replace('\\', r"\\").replace('"', r#"\""#))
    }
}

/// A file, and the hash of what has been written to it.
struct Hashed {
    file: BufWriter<File>,
    hash: Xxh3,
}

impl Hashed {
    /// Writes blocks of a tensor. A tensor that is stored as panels needs all its blocks in one call; others are
    /// written unchanged and may be split into several calls.
    fn put(&mut self, stored: &Stored, blocks: &[u8]) -> io::Result<()> {
        if stored.is_panels {
            self.write(bytemuck::cast_slice(&panels(stored.tensor, blocks)))
        } else {
            self.write(blocks)
        }
    }

    /// Pads with zeros to where the next tensor begins.
    fn pad(&mut self, stored: &Stored) -> io::Result<()> {
        let rest = stored.end().next_multiple_of(ALIGNMENT) - stored.end();
        self.write(&[0; ALIGNMENT as usize][..rest as usize])
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assembler_reads_any_path() {
        let quoted = |path: &str| Image { path: path.into(), n_bytes: 0, hash: 0 }.quoted_path();
        assert_eq!(quoted("/a b/model.bin"), r#""/a b/model.bin""#);
        assert_eq!(quoted(r#"/a"\b"#), r#""/a\"\\b""#);
    }
}
