//! The command line: one file per command, and what they share (input, output, options, messages, failures).
//!
//! Standard output is data, standard error is messages for people. Exit codes are in `failure`.

mod batch;
mod bench;
mod choice;
mod chunk;
mod dedupe;
mod embed;
mod embedding;
mod failure;
#[cfg(feature = "parquet")]
mod guard;
#[cfg(feature = "serve")]
mod health;
mod input;
mod inspect;
mod manual;
mod message;
mod model;
mod output;
mod pack;
#[cfg(feature = "plot")]
mod plot;
mod precision;
mod preparation;
mod ranges;
mod records;
mod search;
#[cfg(feature = "serve")]
mod serve;
mod signals;
mod similarity;
mod streams;
mod tokenize;
mod vectors;
mod verify;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use streams::Stdout;

/// Text embeddings on the CPU, with the model that was compiled into this binary.
#[derive(Parser)]
#[command(name = "monomorph", version, long_version = LONG_VERSION.as_str())]
#[command(arg_required_else_help = true, infer_subcommands = false, disable_help_subcommand = true)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Standard output is data, standard error is messages. Exit codes: 0 done, 1 failed, 2 usage, 3 done, but bad records were
skipped (batch --keep-going), 130 interrupted. Set NO_COLOR=1 to disable colours, and MONOMORPH_ISA=scalar|avx2|... to
force an instruction set; the vectors do not change.")]
struct Cli {
    /// Print the licences of this program and of its model
    #[arg(long)]
    license: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Embed(Box<embed::EmbedArgs>),
    Batch(Box<batch::BatchArgs>),
    Search(Box<search::SearchArgs>),
    Dedupe(Box<dedupe::DedupeArgs>),
    #[cfg(feature = "plot")]
    Plot(Box<plot::PlotArgs>),
    Ranges(Box<ranges::RangesArgs>),
    Tokenize(tokenize::TokenizeArgs),
    Similarity(Box<similarity::SimilarityArgs>),
    #[cfg(feature = "serve")]
    Serve(Box<serve::ServeArgs>),
    #[cfg(feature = "serve")]
    Health(health::HealthArgs),
    Inspect(inspect::InspectArgs),
    Bench(bench::BenchArgs),
    Verify(verify::VerifyArgs),
    Pack(pack::PackArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\nbuilt for {} from {}{}",
        env!("CARGO_PKG_VERSION"),
        monomorph::built::NAME,
        monomorph::built::SOURCE,
        if monomorph::built::IS_EMBEDDED { ", whose weights are inside" } else { "" }
    )
});

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Some(command) => command.run(),
            // Without a command and without --license, clap has answered with the help.
            None => output::print(monomorph::license().as_bytes()),
        },
        Err(answer) => return print(&answer),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Command::Embed(args) => embed::run(*args),
            Command::Batch(args) => batch::run(*args),
            Command::Search(args) => search::run(&args),
            Command::Dedupe(args) => dedupe::run(&args),
            #[cfg(feature = "plot")]
            Command::Plot(args) => plot::run(&args),
            Command::Ranges(args) => ranges::run(&args),
            Command::Tokenize(args) => tokenize::run(args),
            Command::Similarity(args) => similarity::run(*args),
            #[cfg(feature = "serve")]
            Command::Serve(args) => serve::run(*args),
            #[cfg(feature = "serve")]
            Command::Health(args) => health::run(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Bench(args) => bench::run(args),
            Command::Verify(args) => verify::run(&args),
            Command::Pack(args) => pack::run(&args),
            Command::Completions(args) => manual::completions(&args, Cli::command()),
            Command::Man(args) => manual::man(&args, Cli::command()),
        }
    }
}

/// Help and version go to standard output, usage errors to standard error.
fn print(answer: &clap::Error) -> ExitCode {
    let printed = match answer.use_stderr() {
        true => answer.print(),
        false => Stdout::must_be_open().and_then(|()| answer.print()),
    };
    match printed {
        Err(error) if !answer.use_stderr() => Failure::writing("standard output", &error).report(),
        _ => ExitCode::from(answer.exit_code() as u8),
    }
}
