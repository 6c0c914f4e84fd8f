//! The output of a batch, and the files beside it until it is complete.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use monomorph::{Quantizer, built};

use super::BatchArgs;
use super::checkpoint::{About, Checkpoint, CheckpointFile, Progressed};
use super::writer::Writer;
use crate::cli::failure::Failure;
use crate::cli::message;
use crate::cli::output::{self, Destination, FormatWriter, Output, Summary, VectorFormat};
use crate::cli::records::Records;

/// Where vectors go.
pub enum Target {
    /// A pipe or a device: what has been written cannot be taken back, so no run can be resumed.
    Stream(Destination),
    File(Box<Unfinished>),
}

/// A file that is not complete yet.
pub struct Unfinished {
    target: PathBuf,
    part: PathBuf,
    /// The part, locked for this run; none if there is none yet.
    file: Option<File>,
    checkpoints: CheckpointFile,
    checkpoint: Option<Checkpoint>,
}

/// Whether the output is a regular file, so that a run can be resumed.
pub fn names_file(path: &Path) -> bool {
    !output::names_stdout(path)
        && !output::names_descriptor(path)
        && fs::metadata(path).map_or(true, |old| old.is_file())
}

impl Target {
    /// Opens the output, or what an earlier run left of it; none if there is nothing to resume.
    pub fn open(path: &Path, resume: bool, restart: bool) -> Result<Option<Target>, Failure> {
        if !names_file(path) {
            if resume {
                return Err(Failure::Usage(format!(
                    "--resume: {} is not a regular file",
                    if output::names_stdout(path) {
                        "standard output".into()
                    } else {
                        path.display().to_string()
                    }
                )));
            }
            let destination = match output::names_stdout(path) {
                true => Destination::stdout(),
                false => Destination::file(path)?,
            };
            return Ok(Some(Target::Stream(destination)));
        }
        let target = output::resolve(path);
        let beside = |suffix: &str| {
            let mut name = OsString::from(&target);
            name.push(suffix);
            PathBuf::from(name)
        };
        let (part, checkpoints) = (beside(".part"), CheckpointFile(beside(".checkpoint")));
        // Before anything of another run that may still be going is touched.
        let is_there = fs::symlink_metadata(&part).is_ok();
        let file = if is_there { Some(lock(&part)?) } else { None };
        if restart || file.is_none() {
            if resume && target.exists() {
                message::note(format_args!("{} already exists; nothing to resume", path.display()));
                return Ok(None);
            }
            // A run that was killed just after it completed its file may have left a checkpoint.
            checkpoints.remove();
        }
        // Nothing is lost by starting a run over that has written nothing.
        let checkpoint = checkpoints.load()?.filter(|checkpoint| checkpoint.progressed.texts > 0);
        if let (Some(checkpoint), false) = (&checkpoint, resume) {
            return Err(Failure::Failed(format!(
                "{} holds {} of an unfinished run; continue with --resume, or start over with --restart",
                part.display(),
                message::counted(checkpoint.progressed.texts as u64, "vector")
            )));
        }
        let unfinished = Unfinished { target, part, file, checkpoints, checkpoint };
        Ok(Some(Target::File(Box::new(unfinished))))
    }

    /// Whether the bytes would go to a terminal.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Target::Stream(destination) if destination.is_terminal())
    }

    /// Starts the writer, and moves the input and the output to where the run continues.
    pub fn begin(
        self,
        format: VectorFormat,
        args: &BatchArgs,
        about: About,
        records: &mut Records,
        quantizer: Quantizer,
        dimensions: usize,
    ) -> Result<Writer, Failure> {
        let precision = quantizer.precision();
        let mut summary = Summary::new(built::NAME, precision, dimensions);
        let new_format = writer(format, args, &about, records, &summary)?;
        let base = records.bad();
        let unfinished = match self {
            Target::Stream(destination) => {
                let output = Output::begin(new_format, destination, quantizer, summary)?;
                let progressed = Progressed::default();
                return Ok(Writer::new(output, [base, base], None, progressed, args.every()));
            }
            Target::File(unfinished) => *unfinished,
        };
        let Unfinished { target, part, file, checkpoints, checkpoint } = unfinished;
        if let Some(checkpoint) = &checkpoint {
            checkpoint.must_be_about(&about)?;
        }
        let file = file.map_or_else(|| lock(&part), Ok)?;
        let destination = |length| Destination::part(part.clone(), file, target, length);
        let Some(checkpoint) = checkpoint else {
            let output = Output::begin(new_format, destination(0)?, quantizer, summary)?;
            let progressed = Progressed {
                records: records.index(),
                digest: records.digest(),
                ..Default::default()
            };
            let checkpoints = Some((checkpoints, about));
            let mut writer =
                Writer::new(output, [base, base], checkpoints, progressed, args.every());
            writer.checkpoint()?;
            return Ok(writer);
        };
        let Checkpoint { progressed, state, .. } = checkpoint;
        if records.skip_to(progressed.records)? != Some(progressed.digest) {
            return Err(Failure::Failed(format!(
                "the input is not the one that the unfinished run read: its first {} changed; start over with --restart",
                message::counted(progressed.records, "record")
            )));
        }
        let length = fs::metadata(&part).map_or(0, |part| part.len());
        if length < progressed.bytes {
            return Err(Failure::Failed(format!(
                "{} is shorter than its checkpoint says ({length} bytes of {}); start over with --restart",
                part.display(),
                progressed.bytes
            )));
        }
        (summary.texts, summary.tokens) = (progressed.texts, progressed.tokens);
        let written = message::counted(progressed.texts as u64, "vector");
        message::note(format_args!("resuming after {written}"));
        let destination = destination(progressed.bytes)?;
        let output = Output::resume(new_format, destination, quantizer, summary, &state)?;
        let (bad, checkpoints) = ([base, records.bad()], Some((checkpoints, about)));
        Ok(Writer::new(output, bad, checkpoints, progressed, args.every()))
    }
}

/// Refuses a complete Parquet file that says it was made otherwise.
#[cfg(feature = "parquet")]
pub fn must_be_about(
    path: &Path,
    about: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<(), Failure> {
    let made = output::Parquet::about(path)?;
    for (key, asked) in about {
        let Some(then) = made.get(key).filter(|then| **then != asked) else { continue };
        let how = match key {
            "model_xxh3_128" => "with another model file".to_owned(),
            "prefix" => format!("with the prefix {then:?}"),
            key => format!("with the {key} {then}, not {asked}"),
        };
        return Err(Failure::Failed(format!(
            "{} was made {how}; --restart makes it again",
            path.display()
        )));
    }
    Ok(())
}

#[cfg(not(feature = "parquet"))]
pub fn must_be_about(
    _: &Path,
    _: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<(), Failure> {
    Ok(())
}

/// Opens the part, locked for this run.
fn lock(part: &Path) -> Result<File, Failure> {
    // What it points to would be overwritten, and the link would become the output.
    if fs::symlink_metadata(part).is_ok_and(|part| !part.is_file()) {
        return Err(Failure::Failed(format!(
            "{} is in the way: it is not a regular file, as what a run leaves would be; remove or rename it",
            part.display()
        )));
    }
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part);
    let file = open.map_err(|error| Failure::writing(part.display(), &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::Failed(format!("another run is writing {}", part.display())))
        }
        // A file system without locks.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn writer(
    format: VectorFormat,
    args: &BatchArgs,
    about: &About,
    records: &Records,
    summary: &Summary,
) -> Result<Box<dyn FormatWriter>, Failure> {
    match format.writer() {
        Some(writer) => Ok(writer),
        None => parquet(args, about, records, summary),
    }
}

#[cfg(feature = "parquet")]
fn parquet(
    args: &BatchArgs,
    about: &About,
    records: &Records,
    summary: &Summary,
) -> Result<Box<dyn FormatWriter>, Failure> {
    let pair = |key: &str, value: &str| (format!("monomorph.{key}"), value.to_owned());
    let get = |key: &str| about.get(key).map_or("", String::as_str);
    let dimensions = summary.dimensions.to_string();
    let mut metadata = vec![
        pair("version", env!("CARGO_PKG_VERSION")),
        pair("model", built::NAME),
        pair("model_xxh3_128", get("model")),
        pair("prompt", get("prompt")),
        pair("prefix", get("prefix")),
        pair("dimensions", &dimensions),
        pair("normalized", get("normalize")),
        pair("precision", get("precision")),
        pair("column", &args.embedding_column),
        pair("text_column", get("column")),
        pair("id_column", &records.id_column),
        pair("chunk", get("chunk")),
        pair("overlap", get("overlap")),
    ];
    metadata.extend(args.precision.said()?.iter().map(|(key, value)| pair(key, value)));
    let columns = records.columns();
    let parquet = output::Parquet::new(
        columns,
        &args.embedding_column,
        summary.precision,
        summary.values,
        metadata,
    );
    parquet.map(|writer| Box::new(writer) as _).map_err(Failure::Failed)
}

#[cfg(not(feature = "parquet"))]
fn parquet(
    _: &BatchArgs,
    _: &About,
    _: &Records,
    _: &Summary,
) -> Result<Box<dyn FormatWriter>, Failure> {
    Err(Failure::without_parquet())
}
