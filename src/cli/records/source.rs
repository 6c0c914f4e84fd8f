//! Where a table comes from: a file or standard input, unpacked where it is compressed, and its first bytes.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::lines::BUFFER_BYTES;
use crate::cli::failure::Failure;
use crate::cli::streams::stdin;

/// An input, opened. Nothing of it is lost: [`Source::into_reader`] yields the first bytes again.
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// The first bytes: as many as one read gave, but enough to know a signature by where there are so many.
    pub start: Vec<u8>,
    /// Bytes of the whole input, where they are known.
    pub bytes: Option<u64>,
    /// Whether it is a regular file as it stands, which a format may read from any place.
    pub is_plain_file: bool,
    rest: Box<dyn Read + Send>,
}

/// The longest of the signatures that tell formats apart.
const SIGNATURE_BYTES: usize = 16;

impl Source {
    /// Opens a file, or standard input if the path is `-`.
    pub fn open(path: &Path) -> Result<Source, Failure> {
        if path == Path::new("-") {
            let name = "standard input".to_owned();
            let stdin = stdin().map_err(|error| Failure::reading(&name, &error))?;
            return Source::new(Box::new(stdin), name)?.unpacked();
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::reading(&name, &error))?;
        let metadata = file.metadata().map_err(|error| Failure::reading(&name, &error))?;
        if metadata.is_dir() {
            return Err(Failure::Failed(format!(
                "cannot read {name}: it is a folder; give one of its files"
            )));
        }
        let mut source = Source::new(Box::new(file), name)?;
        source.is_plain_file = metadata.is_file();
        source.bytes = Some(metadata.len()).filter(|_| metadata.is_file());
        source.unpacked()
    }

    /// The bytes of a reader.
    pub fn new(mut reader: Box<dyn Read + Send>, name: String) -> Result<Source, Failure> {
        let mut start = Vec::with_capacity(BUFFER_BYTES);
        // A line is never waited for once there is one, so that a program that sends a text gets its vector.
        while start.len() < SIGNATURE_BYTES && !start.contains(&b'\n') {
            let at = start.len();
            start.resize(BUFFER_BYTES, 0);
            match reader.read(&mut start[at..]) {
                Ok(read) => start.truncate(at + read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => start.truncate(at),
                Err(error) => return Err(Failure::reading(&name, &error)),
            }
            if start.len() == at {
                break;
            }
        }
        Ok(Source { name, start, bytes: None, is_plain_file: false, rest: reader })
    }

    /// All of it, from its first byte.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        Box::new(Cursor::new(self.start).chain(self.rest))
    }

    /// The same without the compression that its first bytes show.
    fn unpacked(self) -> Result<Source, Failure> {
        let Some(packing) = Packing::of(&self.start) else { return Ok(self) };
        let name = self.name.clone();
        Source::new(packing.reader(self)?, name)
    }
}

/// A compression of whole files.
enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    fn of(start: &[u8]) -> Option<Packing> {
        match start {
            [0x1F, 0x8B, ..] => Some(Packing::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Packing::Zstd),
            _ => None,
        }
    }

    #[cfg(feature = "parquet")]
    fn reader(&self, source: Source) -> Result<Box<dyn Read + Send>, Failure> {
        let name = source.name.clone();
        let packed = source.into_reader();
        Ok(match self {
            // One file after another, as `cat` and pigz make them.
            Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            Packing::Zstd => Box::new(
                zstd::Decoder::new(packed).map_err(|error| Failure::reading(&name, &error))?,
            ),
        })
    }

    /// The packages that unpack are those of Parquet.
    #[cfg(not(feature = "parquet"))]
    fn reader(&self, source: Source) -> Result<Box<dyn Read + Send>, Failure> {
        let (kind, program) = match self {
            Packing::Gzip => ("gzip", "zcat"),
            Packing::Zstd => ("zstd", "zstdcat"),
        };
        Err(Failure::Usage(format!(
            "{} is compressed with {kind}: unpack it, or pipe it in with {program} FILE | monomorph ... --input -",
            source.name
        )))
    }
}
