//! The place vectors are written to: standard output, or a file that appears complete or not at all. What a run that
//! ended early has written of the file is removed, or kept for another run to go on with ([`Destination::part`]).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Stdout, Write};
use std::path::{Path, PathBuf};
use std::process;

use crate::cli::failure::Failure;

/// Where bytes go.
pub struct Destination {
    place: Place,
    /// As messages call it.
    name: String,
}

enum Place {
    Stdout(BufWriter<Stdout>),
    /// A device or pipe the user named: it cannot be replaced, so it is written to.
    Device(BufWriter<File>),
    Replacement(BufWriter<File>, Unfinished),
    /// A file under a name of its own that stays if the run ends early.
    Part {
        file: BufWriter<File>,
        part: PathBuf,
        target: PathBuf,
    },
}

impl Destination {
    pub fn stdout() -> Destination {
        let place = Place::Stdout(BufWriter::with_capacity(64 << 10, io::stdout()));
        Destination { place, name: "standard output".into() }
    }

    /// The file is written under another name beside `path` and renamed by [`Destination::finish`].
    pub fn file(path: &Path) -> Result<Destination, Failure> {
        let name = path.display().to_string();
        let place = Place::open(path).map_err(|error| Failure::writing(&name, &error))?;
        Ok(Destination { place, name })
    }

    /// Goes on at byte `length` of the file `part`, which is made if it is not there; [`Destination::finish`] renames
    /// it to `target`. The caller has resolved links ([`resolve`]) and holds the only open part of that name.
    pub fn part(
        part: PathBuf,
        file: File,
        target: PathBuf,
        length: u64,
    ) -> Result<Destination, Failure> {
        let name = target.display().to_string();
        let open = |mut file: File| {
            if let Ok(old) = fs::metadata(&target) {
                file.set_permissions(old.permissions())?;
            }
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(BufWriter::with_capacity(1 << 20, file))
        };
        let file = open(file).map_err(|error| Failure::writing(part.display(), &error))?;
        Ok(Destination { place: Place::Part { file, part, target }, name })
    }

    /// Makes sure that what has been written survives a crash; its length in bytes.
    pub fn sync(&mut self) -> io::Result<u64> {
        match &mut self.place {
            Place::Part { file, .. } => {
                file.flush()?;
                file.get_ref().sync_data()?;
                file.stream_position()
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether a person would see the bytes on a screen.
    pub fn is_terminal(&self) -> bool {
        match &self.place {
            Place::Stdout(_) => io::stdout().is_terminal(),
            Place::Device(file) => file.get_ref().is_terminal(),
            Place::Replacement(..) | Place::Part { .. } => false,
        }
    }

    /// Whether [`Destination::overwrite_start`] can work.
    pub fn can_overwrite(&self) -> bool {
        matches!(self.place, Place::Replacement(..) | Place::Part { .. })
    }

    /// Replaces the first bytes of what has been written.
    pub fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Replacement(file, _) | Place::Part { file, .. } => {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(bytes)?;
                file.seek(SeekFrom::End(0)).map(drop)
            }
            Place::Stdout(_) | Place::Device(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }

    /// Empties the buffer where someone may be waiting at the other end.
    pub fn flush_to_reader(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Stdout(out) => out.flush(),
            Place::Device(out) => out.flush(),
            Place::Replacement(..) | Place::Part { .. } => Ok(()),
        }
    }

    /// Makes sure that everything has been written; until then a file keeps its old contents.
    pub fn finish(self) -> Result<(), Failure> {
        let done = match self.place {
            Place::Stdout(mut out) => out.flush(),
            Place::Device(mut out) => out.flush(),
            Place::Replacement(out, unfinished) => out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| unfinished.finish(&file)),
            Place::Part { file, part, target } => file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(part, target)),
        };
        done.map_err(|error| Failure::writing(&self.name, &error))
    }

    /// What a failed write to this place means.
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::writing(&self.name, error)
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.place {
            Place::Stdout(out) => out.write(bytes),
            Place::Device(out) | Place::Replacement(out, _) | Place::Part { file: out, .. } => {
                out.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Stdout(out) => out.flush(),
            Place::Device(out) | Place::Replacement(out, _) | Place::Part { file: out, .. } => {
                out.flush()
            }
        }
    }
}

impl Place {
    fn open(path: &Path) -> io::Result<Place> {
        let target = resolve(path);
        match fs::metadata(&target) {
            Ok(old) if old.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => {
                Ok(Place::Device(BufWriter::new(OpenOptions::new().write(true).open(&target)?)))
            }
            old => {
                let (file, unfinished) = Unfinished::create(target)?;
                if let Ok(old) = old {
                    file.set_permissions(old.permissions())?;
                }
                Ok(Place::Replacement(BufWriter::with_capacity(64 << 10, file), unfinished))
            }
        }
    }
}

/// The file that is meant. A link keeps pointing where it points: what is replaced is the file at its end, even one
/// that is yet to be.
pub fn resolve(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| match fs::read_link(path) {
        Ok(end) => path.parent().unwrap_or(Path::new("")).join(end),
        Err(_) => path.to_owned(),
    })
}

/// A file under its temporary name, removed on drop unless finished.
struct Unfinished {
    temporary: PathBuf,
    target: PathBuf,
}

impl Unfinished {
    fn create(target: PathBuf) -> io::Result<(File, Unfinished)> {
        let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        // A run that was killed left its file behind, and in a container the next has the same process id.
        for attempt in 0.. {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.part", process::id()));
            let temporary = target.with_file_name(hidden);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => return Ok((file, Unfinished { temporary, target })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    fn finish(self, file: &File) -> io::Result<()> {
        // Some file systems report a full disk only now, and the old file must still be there then.
        file.sync_all()?;
        fs::rename(&self.temporary, &self.target)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a successful rename nothing of that name is left, and there is nothing to remove.
        let _ = fs::remove_file(&self.temporary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_appears_only_when_finished() {
        let folder = std::env::temp_dir().join(format!("monomorph-destination-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("out.bin");
        fs::write(&path, "old").unwrap();

        let mut unfinished = Destination::file(&path).unwrap();
        unfinished.write_all(b"new").unwrap();
        drop(unfinished);
        assert_eq!(fs::read(&path).unwrap(), b"old");

        let mut finished = Destination::file(&path).unwrap();
        finished.write_all(b"??? and more").unwrap();
        finished.overwrite_start(b"new").unwrap();
        finished.write_all(b"!").unwrap();
        finished.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new and more!");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        fs::remove_dir_all(&folder).unwrap();
    }
}
