//! The destination of vectors: standard output, or a file that appears complete or not at all. If a run ends early,
//! what it has written of the file is removed, or kept for another run to resume ([`Destination::part`]).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::process;

use crate::cli::failure::Failure;
use crate::cli::signals;
use crate::cli::streams::{Stdout, stdout};

/// Where bytes go.
pub struct Destination {
    kind: Kind,
    /// The name in messages.
    name: String,
}

enum Kind {
    Stdout(BufWriter<Stdout>),
    /// A device or pipe the user named: it cannot be replaced, so it is written to.
    Device(BufWriter<File>),
    Replacement(BufWriter<File>, Unfinished),
    /// A file under a name of its own, which stays if the run ends early.
    Part {
        file: BufWriter<File>,
        part: PathBuf,
        target: PathBuf,
    },
    /// Somebody has it, and gives it back.
    Lent,
}

impl Destination {
    pub fn stdout() -> Destination {
        let kind = Kind::Stdout(BufWriter::with_capacity(64 << 10, stdout()));
        Destination { kind, name: "standard output".into() }
    }

    /// The file is written under another name beside `path` and renamed by [`Destination::finish`].
    pub fn file(path: &Path) -> Result<Destination, Failure> {
        let name = path.display().to_string();
        let kind = Kind::open(path).map_err(|error| Failure::writing(&name, &error))?;
        Ok(Destination { kind, name })
    }

    /// Appends to the file `part`, cut to `length` bytes; [`Destination::finish`] renames it to `target`. The caller
    /// has resolved links ([`resolve`]) and holds the only open part of that name.
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
        Ok(Destination { kind: Kind::Part { file, part, target }, name })
    }

    /// Gives the destination to a writer that must own what it writes to, and leaves one in its place that refuses
    /// bytes, until it is given back.
    pub fn lend(&mut self) -> Destination {
        Destination { kind: mem::replace(&mut self.kind, Kind::Lent), name: self.name.clone() }
    }

    /// Syncs what has been written, and returns its length in bytes.
    pub fn sync(&mut self) -> io::Result<u64> {
        match &mut self.kind {
            Kind::Part { file, .. } => {
                file.flush()?;
                file.get_ref().sync_data()?;
                file.stream_position()
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Who may read a part.
    pub fn permissions(&self) -> io::Result<Permissions> {
        match &self.kind {
            Kind::Part { file, .. } => file.get_ref().metadata().map(|file| file.permissions()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether the bytes go to a terminal.
    pub fn is_terminal(&self) -> bool {
        match &self.kind {
            Kind::Stdout(out) => out.get_ref().is_terminal(),
            Kind::Device(file) => file.get_ref().is_terminal(),
            Kind::Replacement(..) | Kind::Part { .. } | Kind::Lent => false,
        }
    }

    /// Whether [`Destination::overwrite_start`] can work.
    pub fn can_overwrite(&self) -> bool {
        matches!(self.kind, Kind::Replacement(..) | Kind::Part { .. })
    }

    /// Replaces the first bytes of what has been written.
    pub fn overwrite_start(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Replacement(file, _) | Kind::Part { file, .. } => {
                file.seek(SeekFrom::Start(0))?;
                file.write_all(bytes)?;
                file.seek(SeekFrom::End(0)).map(drop)
            }
            Kind::Stdout(_) | Kind::Device(_) | Kind::Lent => {
                Err(io::ErrorKind::NotSeekable.into())
            }
        }
    }

    /// Flushes the buffer if a reader may be waiting.
    pub fn flush_to_reader(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Stdout(out) => out.flush(),
            Kind::Device(out) => out.flush(),
            Kind::Replacement(..) | Kind::Part { .. } | Kind::Lent => Ok(()),
        }
    }

    /// Writes everything out; until then a file keeps its old contents.
    pub fn finish(self) -> Result<(), Failure> {
        let done = match self.kind {
            Kind::Stdout(mut out) => out.flush(),
            Kind::Device(mut out) => out.flush(),
            Kind::Replacement(out, unfinished) => out
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| unfinished.finish(&file)),
            Kind::Part { file, part, target } => file
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(part, target)),
            Kind::Lent => Err(lent()),
        };
        done.map_err(|error| Failure::writing(&self.name, &error))
    }

    /// The failure of a write to this destination.
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::writing(&self.name, error)
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kind {
            Kind::Stdout(out) => out.write(bytes),
            Kind::Device(out) | Kind::Replacement(out, _) | Kind::Part { file: out, .. } => {
                out.write(bytes)
            }
            Kind::Lent => Err(lent()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::Stdout(out) => out.flush(),
            Kind::Device(out) | Kind::Replacement(out, _) | Kind::Part { file: out, .. } => {
                out.flush()
            }
            Kind::Lent => Err(lent()),
        }
    }
}

/// The error of a fault in the program: a destination that is used while somebody else has it.
fn lent() -> io::Error {
    io::Error::other("the destination is lent")
}

impl Kind {
    fn open(path: &Path) -> io::Result<Kind> {
        match fs::metadata(path) {
            Ok(old) if old.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            // Under its own name: a pipe of the shell has no other.
            Ok(old) if !old.is_file() || names_descriptor(path) => {
                Ok(Kind::Device(BufWriter::new(OpenOptions::new().write(true).open(path)?)))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            old => {
                let (file, unfinished) = Unfinished::create(resolve(path))?;
                if let Ok(old) = old {
                    file.set_permissions(old.permissions())?;
                }
                Ok(Kind::Replacement(BufWriter::with_capacity(64 << 10, file), unfinished))
            }
        }
    }
}

/// Whether a path names what the caller has opened already.
pub fn names_descriptor(path: &Path) -> bool {
    ["/dev/fd", "/dev/stdout", "/dev/stderr", "/proc/self/fd"].iter().any(|at| path.starts_with(at))
}

/// The file that a path refers to. Symbolic links are followed, so that the file they point to is replaced, even one
/// that does not exist yet.
pub fn resolve(path: &Path) -> PathBuf {
    /// As many links as Linux follows.
    const MAX_LINKS: usize = 40;
    fs::canonicalize(path).unwrap_or_else(|_| {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Ok(end) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(Path::new("")).join(end);
        }
        path
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
        signals::listen_for_end();
        // A run that was killed left its file behind, and in a container the next has the same process id.
        for attempt in 0.. {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(format!(".{}-{attempt}.part", process::id()));
            let temporary = target.with_file_name(hidden);
            match OpenOptions::new().write(true).create_new(true).open(&temporary) {
                Ok(file) => {
                    signals::remove_at_end(&temporary);
                    return Ok((file, Unfinished { temporary, target }));
                }
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
