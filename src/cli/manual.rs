//! `monomorph completions` and `monomorph man`: completion scripts and manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::failure::Failure;
use super::{message, output};

/// Print a shell completion script
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  monomorph completions bash > ~/.local/share/bash-completion/completions/monomorph
  monomorph completions zsh > ~/.zfunc/_monomorph
  monomorph completions fish > ~/.config/fish/completions/monomorph.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Write manual pages, one per command
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  monomorph man ~/.local/share/man/man1 && man monomorph-batch")]
pub struct ManArgs {
    /// Folder for the pages; created if missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    // Made in memory first: the generator panics where writing fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "monomorph", &mut script);
    output::print(&script)
}

pub fn man(args: &ManArgs, command: Command) -> Result<(), Failure> {
    let folder = &args.folder;
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    written.map_err(|error| Failure::writing(folder.display(), &error))?;
    message::line(format_args!("wrote the manual to {}", folder.display()));
    Ok(())
}
