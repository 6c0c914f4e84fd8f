//! `monomorph bench`: the speed of this binary on this machine.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use monomorph::{EmbedOptions, Embedder, Kernels};
use serde::Serialize;

use super::choice::choice;
use super::failure::Failure;
use super::input::Source;
use super::model::ModelArgs;
use super::output;
use super::records::Entry;

/// Measure the speed on a file of texts
///
/// After a warm-up pass, passes are timed until the time is up; at least one is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  monomorph bench --input texts.jsonl --mode single
  monomorph bench --input texts.jsonl --mode batch --threads 2 --seconds 10 --json")]
pub struct BenchArgs {
    /// Texts, as for embed --input
    #[arg(long, short, value_name = "FILE")]
    input: PathBuf,

    /// How a pass calls the library
    #[arg(long, value_name = "MODE")]
    mode: Mode,

    #[command(flatten)]
    model: ModelArgs,

    /// Start no further pass once passes have taken S seconds
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    seconds: Duration,

    /// Kernels to time
    #[arg(long, value_name = "PATH", default_value = "specialized", value_parser = choice::<Kernels>())]
    path: Kernels,

    /// Repack the weights in each call, as embed does, instead of keeping them in memory
    #[arg(long)]
    no_keep: bool,

    /// Print one JSON object: {"texts", "tokens", "seconds": [one per pass], "peak_rss_bytes", "isa", "path",
    /// "threads"}
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// One call per text: the latency of a single request
    Single,
    /// All texts in one call
    Batch,
}

#[derive(Serialize)]
struct Measurement {
    texts: usize,
    /// Tokens of one pass.
    tokens: usize,
    /// Wall-clock time of each pass.
    seconds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_bytes: Option<u64>,
    isa: &'static str,
    path: &'static str,
    threads: usize,
}

pub fn run(args: BenchArgs) -> Result<(), Failure> {
    let texts = Source::open(&args.input, None, false)?.read_all()?;
    if texts.is_empty() {
        return Err(Failure::Failed(format!("{}: no texts to time", args.input.display())));
    }
    let embedder =
        args.model.open(|options| options.kernels(args.path).keep_panels(!args.no_keep))?;
    let measurement = measure(&embedder, &texts, &args)?;
    let answer = if args.json {
        serde_json::to_string(&measurement).map_err(|error| Failure::Failed(error.to_string()))?
            + "\n"
    } else {
        measurement.for_people()
    };
    output::print(answer.as_bytes())
}

fn measure(embedder: &Embedder, texts: &[Entry], args: &BenchArgs) -> Result<Measurement, Failure> {
    let tokens = pass(embedder, texts, args.mode)?;
    let mut seconds = Vec::new();
    let begun = Instant::now();
    while seconds.is_empty() || begun.elapsed() < args.seconds {
        let pass_begun = Instant::now();
        pass(embedder, texts, args.mode)?;
        seconds.push(pass_begun.elapsed().as_secs_f64());
    }
    let info = embedder.info();
    Ok(Measurement {
        texts: texts.len(),
        tokens,
        seconds,
        peak_rss_bytes: peak_rss_bytes(),
        isa: info.isa,
        path: info.path,
        threads: info.threads,
    })
}

/// Embeds all texts once, and returns the number of tokens.
fn pass(embedder: &Embedder, texts: &[Entry], mode: Mode) -> Result<usize, Failure> {
    let options = EmbedOptions::default();
    let texts_a_call = match mode {
        Mode::Single => 1,
        Mode::Batch => texts.len(),
    };
    let mut tokens = 0;
    for call in texts.chunks(texts_a_call) {
        tokens +=
            embedder.run(call, &options)?.iter().map(|embedding| embedding.tokens).sum::<usize>();
    }
    Ok(tokens)
}

impl Measurement {
    fn for_people(&self) -> String {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let peak = self
            .peak_rss_bytes
            .map_or("unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        format!(
            "texts         {}\n\
             tokens        {}\n\
             passes        {}\n\
             median pass   {:.2} ms ({:.2} to {:.2})\n\
             tokens/s      {:.0}\n\
             texts/s       {:.1}\n\
             peak memory   {peak}\n\
             isa           {}\n\
             path          {}\n\
             threads       {}\n",
            self.texts,
            self.tokens,
            self.seconds.len(),
            median * 1e3,
            least * 1e3,
            most * 1e3,
            self.tokens as f64 / median,
            self.texts as f64 / median,
            self.isa,
            self.path,
            self.threads,
        )
    }
}

/// Peak resident memory of this process, pages of the mapped file included; known on Linux only.
fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn seconds(given: &str) -> Result<Duration, String> {
    let seconds: f64 =
        given.parse().map_err(|_| "must be a number of seconds from 0 up".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| "must be a number of seconds from 0 up".to_owned())
}
