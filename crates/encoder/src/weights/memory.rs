//! Where weights are: in a mapped file, in bytes that the program has, or in private memory for panels.

#![allow(unsafe_code)]

use memmap2::Mmap;
#[cfg(not(target_family = "wasm"))]
use memmap2::MmapMut;
use monomorph_quant::Line;
use monomorph_quant::image::ALIGNMENT;
use std::borrow::Cow;
use std::fs::File;
use std::io;

/// All bytes of a file or an image, which begin at a multiple of [`ALIGNMENT`].
pub enum Memory {
    /// A mapped file.
    Mapped(Mmap),
    /// Bytes that begin there already.
    Given(Cow<'static, [u8]>),
    /// A copy of bytes that did not, with its length: the last line may be longer.
    Copied(Vec<Line>, usize),
}

impl Memory {
    /// Maps a file.
    pub fn map(file: &File) -> io::Result<Memory> {
        // SAFETY: the mapping is read-only. Its bytes change only if something writes into the file in place, which no
        // check here can exclude: the documentation of `Embedder::open` says that model files are to be replaced by
        // renaming. All views are of types for which any bytes are valid values.
        let file = unsafe { Mmap::map(file)? };
        Ok(Memory::Mapped(file))
    }

    /// Takes bytes, which are copied only if they begin in the wrong place.
    pub fn of(bytes: Cow<'static, [u8]>) -> io::Result<Memory> {
        if bytes.as_ptr().addr().is_multiple_of(ALIGNMENT as usize) {
            return Ok(Memory::Given(bytes));
        }
        let mut lines = zeroed(bytes.len().div_ceil(size_of::<Line>()))?;
        bytemuck::cast_slice_mut(&mut lines)[..bytes.len()].copy_from_slice(&bytes);
        Ok(Memory::Copied(lines, bytes.len()))
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Memory::Mapped(file) => file,
            Memory::Given(bytes) => bytes,
            Memory::Copied(lines, len) => &bytemuck::cast_slice(lines)[..*len],
        }
    }
}

fn zeroed(lines: usize) -> io::Result<Vec<Line>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(lines).map_err(|_| io::ErrorKind::OutOfMemory)?;
    memory.resize(lines, bytemuck::Zeroable::zeroed());
    Ok(memory)
}

/// Memory of this process alone, for panels.
#[cfg(not(target_family = "wasm"))]
pub struct Private(MmapMut);

/// Memory of this process alone, for panels.
#[cfg(target_family = "wasm")]
pub struct Private(Vec<Line>);

impl Private {
    /// Memory of this many bytes, a multiple of [`ALIGNMENT`].
    #[cfg(not(target_family = "wasm"))]
    pub fn new(n_bytes: usize) -> io::Result<Private> {
        let memory = MmapMut::map_anon(n_bytes)?;
        // With pages of 4 KB, a pass over all panels spends a few percent of its time on page-table lookups.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Private(memory))
    }

    /// Memory of this many bytes, a multiple of [`ALIGNMENT`].
    #[cfg(target_family = "wasm")]
    pub fn new(n_bytes: usize) -> io::Result<Private> {
        zeroed(n_bytes / size_of::<Line>()).map(Private)
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }

    /// All of it, to be written.
    pub fn lines_mut(&mut self) -> &mut [Line] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
