//! Completions, manual pages, and what every command says of itself.

use super::support::*;

const COMMANDS: &[&str] = &[
    "embed",
    "batch",
    "search",
    "dedupe",
    #[cfg(feature = "plot")]
    "plot",
    "ranges",
    "tokenize",
    "similarity",
    #[cfg(feature = "serve")]
    "serve",
    #[cfg(feature = "serve")]
    "health",
    "inspect",
    "bench",
    "verify",
    "completions",
    "man",
];

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).text();
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn every_command_has_a_page() {
    let folder = Folder::new("man");
    let pages = folder.argument("man1");
    run(&["man", &pages]).good();
    for command in COMMANDS {
        let page = std::fs::read_to_string(folder.path(&format!("man1/monomorph-{command}.1")));
        assert!(page.expect(command).contains(".SH SYNOPSIS"));
    }
    let file = folder.write("file", b"");
    assert!(run(&["man", &file]).failure(1).starts_with(&format!("cannot write {file}: ")));
}

/// Everybody looks for an example first.
#[test]
fn every_help_ends_with_examples() {
    for &command in COMMANDS {
        let help = run(&[command, "--help"]).text();
        let example = format!("\n  monomorph {command} ");
        assert!(help.contains("\nExample") && help.contains(&example), "{command}");
    }
}

#[test]
fn no_arguments_give_the_help() {
    let outcome = run(&[]);
    assert_eq!((outcome.code, outcome.stdout.is_empty()), (Some(2), true));
    COMMANDS.iter().for_each(|command| assert!(outcome.stderr.contains(command), "{command}"));
}
