//! `monomorph batch`: turns a table of any length into vectors.

mod checkpoint;
mod pipeline;
mod progress;
mod target;
mod writer;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use monomorph::{EmbedOptions, Quantizer, built};
use xxhash_rust::xxh3::xxh3_64;

use super::choice::some_of;
use super::chunk::{ChunkArgs, Chunker};
use super::embedding::VectorArgs;
use super::failure::Failure;
use super::message;
use super::output::{self, VectorFormat, Writing};
use super::precision::PrecisionArgs;
use super::preparation::{self, PromptArgs};
use super::records::{Inputs, Records, TableArgs};
use super::signals;
use pipeline::{Ending, Job};
use progress::{Progress, ProgressMode};
use target::Target;

/// Turn a table of any length into vectors, with progress; resumable after an interruption
#[derive(Args, Debug)]
#[command(after_help = preparation::help("\
Memory does not grow with the input, except for npy on standard output, which begins with the number of vectors. The
output keeps the order of the input. While it is being written, FILE.part and FILE.checkpoint exist beside it; after
Ctrl-C, a crash or a full disk, run the same command with --resume to continue. Jobs that may be restarted can always
pass --resume: a finished output is left alone.

Exit codes: 0 done, 1 failed, 2 usage, 3 done, but bad records were skipped (--keep-going), 130 interrupted.

Examples:
  monomorph batch --prompt document --input notes.jsonl --output notes.parquet
  monomorph batch --input notes/ --chunk 256 --overlap 32 --output notes.parquet
  monomorph batch --input table.csv --column body --id-column key --output vectors.npy --resume
  monomorph batch --input all.parquet --output part3.parquet --shard 3/16 --progress json
  zcat texts.jsonl.gz | monomorph batch --input - --input-format jsonl --output - --format csv > vectors.csv"))]
pub struct BatchArgs {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    chunk: ChunkArgs,

    /// Write to FILE, or to standard output if it is `-`; FILE appears once everything has been written
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// Format of the vectors [default: by --output's extension]
    #[arg(long, short, value_name = "FORMAT")]
    #[arg(value_parser = some_of(|format: &VectorFormat| format.supports(Writing::Table)))]
    format: Option<VectorFormat>,

    /// Continue the run that left FILE.part behind; start one if there is none and FILE does not exist
    #[arg(long, conflicts_with = "restart")]
    resume: bool,

    /// Discard the run that left FILE.part behind, and start over
    #[arg(long)]
    restart: bool,

    /// Embed only part I of N of the table, counted from 0: its rows from I/N to (I+1)/N, so that the parts can be
    /// concatenated
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Skip records that cannot be read or embedded, name each on standard error, and exit with code 3
    #[arg(long)]
    keep_going: bool,

    /// Save progress about every S seconds; a run that was killed repeats what came after, and what it was working on
    #[arg(long, value_name = "S", default_value = "30")]
    checkpoint: u64,

    /// How to show progress on standard error
    #[arg(long, value_name = "HOW", default_value = "auto")]
    progress: ProgressMode,

    /// Name of the column of vectors in a Parquet file
    #[arg(long, value_name = "NAME", default_value = "embedding")]
    embedding_column: String,

    #[command(flatten)]
    vectors: VectorArgs,
    #[command(flatten)]
    precision: PrecisionArgs,
}

/// Part `part` of `parts` of the input.
#[derive(Clone, Copy, Debug)]
struct Shard {
    part: u64,
    parts: u64,
}

pub fn run(args: BatchArgs) -> Result<(), Failure> {
    let format = args.format()?;
    args.prompt().prefix()?;
    let input = args.input(format)?;
    let mut records = input.open(&args, format == VectorFormat::Parquet)?;
    let ranges = args.precision.ranges().map(|path| ("--ranges", path));
    let model = args.vectors.embedding.model.file();
    let files = input.files.0.iter().map(|input| ("the input", input.path.as_path()));
    let read = files.chain(ranges).chain(model.as_deref().map(|path| ("the model", path)));
    output::must_be_none_of(Some(&args.output), read)?;
    let target = Target::open(&args.output, args.resume, args.restart)?;
    let Some(target) = target else {
        return args.must_have_made_output(format);
    };
    if format.is_binary() && target.is_terminal() {
        return Err(output::binary_on_terminal());
    }
    let (embedder, mut options) = args.vectors.open_for_table(&args.table)?;
    let dimensions = options.dimensions.unwrap_or(embedder.info().dimensions);
    let quantizer = args.precision.quantizer(dimensions)?;
    if format == VectorFormat::Parquet {
        let again = input.files.are_files().then(|| input.open(&args, true)).transpose()?;
        records.learn_columns(again)?;
    }
    let end = args.shard.map(|shard| args.enter_shard(shard, &input, &mut records)).transpose()?;

    let cancel = cancel_on_signal()?;
    options.cancel = Some(cancel.clone());
    let about = args.about(format, dimensions, &options, &quantizer);
    let writer = target.begin(format, &args, about, &mut records, quantizer, dimensions)?;
    let progress = match end {
        Some(end) => Progress::new(args.progress, records.index(), Some(end), true),
        None => Progress::new(args.progress, records.position(), records.extent, false),
    };
    let job = Job { embedder: &embedder, options: &options, keep_going: args.keep_going, end };
    let ending = pipeline::run(&job, records, writer, &progress);
    progress.clear();
    match ending? {
        Ending::Whole { skipped: 0, .. } => Ok(()),
        Ending::Whole { skipped, earlier } => Err(Failure::Skipped { records: skipped, earlier }),
        Ending::Interrupted { texts } => {
            let hint = args.how_to_continue().map(|how| format!("; {how}")).unwrap_or_default();
            let texts = message::counted(texts as u64, "text");
            Err(Failure::Interrupted(format!("interrupted after {texts}{hint}")))
        }
        Ending::Failed { failure, is_of_record, texts } => {
            let Some(how) = args.how_to_continue().filter(|_| texts > 0) else {
                return Err(failure);
            };
            let skip = match args.keep_going || !is_of_record {
                true => "",
                false => ", with --keep-going to skip bad records",
            };
            let kept = message::counted(texts as u64, "vector");
            Err(failure.with_note(format!("{kept} written so far; {how}{skip}")))
        }
    }
}

/// What is read, and how its texts are cut.
struct Input {
    files: Inputs,
    chunker: Option<Chunker>,
}

impl Input {
    fn open(&self, args: &BatchArgs, keep: bool) -> Result<Records, Failure> {
        let records = args.table.open(&self.files, keep, args.prompt().prompt())?;
        Ok(records.chunked(self.chunker.clone(), args.prompt().prefix()?.as_deref()))
    }
}

impl BatchArgs {
    fn input(&self, format: VectorFormat) -> Result<Input, Failure> {
        if self.chunk.is_given() && !format.shows_chunks() {
            return Err(Failure::Usage(format!(
                "--chunk: {} does not say where a chunk is in its text; write parquet or jsonl",
                format.name()
            )));
        }
        let chunker = self.chunk.chunker(self.vectors.embedding.preparation.unicode())?;
        Ok(Input { files: self.table.inputs()?, chunker })
    }

    /// How to continue a run that did not complete; none where what it wrote cannot be added to.
    fn how_to_continue(&self) -> Option<&'static str> {
        target::names_file(&self.output).then_some(match self.restart {
            true => "run the same command with --resume instead of --restart to continue",
            false => "run the same command with --resume to continue",
        })
    }

    fn prompt(&self) -> &PromptArgs {
        &self.vectors.embedding.prompt
    }

    fn format(&self) -> Result<VectorFormat, Failure> {
        let by_name = VectorFormat::of(&self.output);
        let by_name = by_name.filter(|format| format.supports(Writing::Table));
        self.format.or(by_name).ok_or_else(|| {
            Failure::Usage(format!(
                "--format: {} does not say how to write vectors; choose one of {}",
                self.output.display(),
                VectorFormat::names(Writing::Table)
            ))
        })
    }

    /// Moves to the first record of a shard, and returns the index of the first one after it.
    fn enter_shard(
        &self,
        shard: Shard,
        input: &Input,
        records: &mut Records,
    ) -> Result<u64, Failure> {
        if !input.files.are_files() {
            return Err(Failure::Usage("--shard needs an input file whose length is known".into()));
        }
        let mut all = input.open(self, false)?.quiet();
        all.skip_to(u64::MAX)?;
        let place = |part: u64| {
            (u128::from(all.index()) * u128::from(part) / u128::from(shard.parts)) as u64
        };
        records.skip_to(place(shard.part))?;
        Ok(place(shard.part + 1))
    }

    /// What determines the output: a run is resumed only with the same.
    fn about(
        &self,
        format: VectorFormat,
        dimensions: usize,
        options: &EmbedOptions,
        quantizer: &Quantizer,
    ) -> checkpoint::About {
        let mut about = checkpoint::About::from([
            ("model", format!("{:032x}", built::FINGERPRINT.content)),
            ("format", format.name()),
            ("prompt", self.prompt().name()),
            ("prefix", options.prefix.clone().unwrap_or_default()),
            ("dimensions", dimensions.to_string()),
            ("normalize", options.normalize.to_string()),
            ("truncate", options.truncate.to_string()),
            ("unicode", options.unicode.to_string()),
            ("precision", quantizer.precision().to_string()),
            ("quantizer", format!("{:016x}", xxh3_64(format!("{quantizer:?}").as_bytes()))),
            ("embedding-column", self.embedding_column.clone()),
        ]);
        about.extend(self.table.columns());
        about.extend(self.chunk.given());
        about.extend(self.prompt().title().map(|title| ("title", title.to_owned())));
        let shard = self.shard.map(|shard| format!("{}/{}", shard.part, shard.parts));
        about.extend(shard.map(|shard| ("shard", shard)));
        about
    }

    /// Refuses a finished output that this command would have made otherwise, as far as the file says how it was made.
    fn must_have_made_output(&self, format: VectorFormat) -> Result<(), Failure> {
        if format != VectorFormat::Parquet {
            return Ok(());
        }
        let prefix = if self.table.has_titles() { None } else { self.prompt().prefix()? };
        target::must_be_about(
            &self.output,
            [
                ("model_xxh3_128", format!("{:032x}", built::FINGERPRINT.content)),
                ("prompt", self.prompt().name()),
                ("prefix", prefix.unwrap_or_default()),
                ("precision", self.precision.precision().to_string()),
            ],
        )
    }

    fn every(&self) -> Duration {
        Duration::from_secs(self.checkpoint)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(given: &str) -> Result<Shard, String> {
        let numbers = given.split_once('/').and_then(|(part, parts)| {
            Some(Shard { part: part.parse().ok()?, parts: parts.parse().ok()? })
        });
        numbers
            .filter(|shard| shard.part < shard.parts)
            .ok_or_else(|| "give I/N with I from 0 to N-1, such as 0/3".to_owned())
    }
}

/// A flag that Ctrl-C sets, as do the signals with which a scheduler ends a job. A second signal ends the process at
/// once.
fn cancel_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Failure::INTERRUPTED.into());
        }
    };
    signals::on_end(handler)?;
    Ok(cancel)
}
