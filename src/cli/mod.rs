//! The command line: one file a command, and what they share (input, output, options, messages, failures).
//!
//! Standard output is data, standard error is messages for people. Exit codes: 0 done, 1 failed, 2 usage.

mod bench;
mod embed;
mod failure;
mod input;
mod inspect;
mod message;
mod model;
mod output;
mod preparation;
mod similarity;
mod tokenize;
mod verify;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Text embeddings on the CPU, by the one model that was compiled into this binary.
#[derive(Parser)]
#[command(name = "monomorph", version, long_version = LONG_VERSION.as_str())]
#[command(arg_required_else_help = true, infer_subcommands = false, disable_help_subcommand = true)]
#[command(after_help = "\
Standard output is data, standard error is messages. Exit codes: 0 done, 1 failed, 2 usage.
MONOMORPH_ISA=scalar|avx2|... in the environment forces an instruction set; the vectors do not change.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Embed(Box<embed::EmbedArgs>),
    Tokenize(tokenize::TokenizeArgs),
    Similarity(similarity::SimilarityArgs),
    Inspect(inspect::InspectArgs),
    Bench(bench::BenchArgs),
    Verify(verify::VerifyArgs),
}

static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\nbuilt for {} from {}",
        env!("CARGO_PKG_VERSION"),
        monomorph::built::NAME,
        monomorph::built::SOURCE
    )
});

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => cli.command.run(),
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
            Command::Tokenize(args) => tokenize::run(args),
            Command::Similarity(args) => similarity::run(args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Bench(args) => bench::run(args),
            Command::Verify(args) => verify::run(&args),
        }
    }
}

/// Help and version go to standard output, usage errors to standard error.
fn print(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Err(error) if !answer.use_stderr() => Failure::writing("standard output", &error).report(),
        _ => ExitCode::from(answer.exit_code() as u8),
    }
}
