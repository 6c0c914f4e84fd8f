//! The readers of tables. They belong to the binary, so that they are compiled here once more.

// Of what they share with the commands, not all is used.
#![allow(dead_code, unused_imports, missing_docs)]

#[path = "../../src/cli/choice.rs"]
mod choice;
#[path = "../../src/cli/chunk/mod.rs"]
mod chunk;
#[path = "../../src/cli/failure.rs"]
mod failure;
#[path = "../../src/cli/guard.rs"]
mod guard;
#[path = "../../src/cli/message.rs"]
mod message;
#[path = "../../src/cli/preparation.rs"]
mod preparation;
#[path = "../../src/cli/records/mod.rs"]
mod records;
#[path = "../../src/cli/streams.rs"]
mod streams;

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process;

use clap::Parser;
use monomorph::Unicode;

use failure::Failure;
use records::{Fault, Records, TableArgs};

/// The arguments of `batch` that say which table is read, and how its texts are cut.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    chunk: chunk::ChunkArgs,
}

thread_local! {
    /// Where the table is written before it is read.
    static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// Reads a table of this format as `batch` does that keeps all columns, then one that keeps none and cuts the texts, and
/// asserts that what is said of a failure is one line.
pub fn read_table(format: &str, bytes: &[u8]) {
    let path = FILE.with_borrow_mut(|file| file.get_or_insert_with(|| new_file(format)).clone());
    fs::write(&path, bytes).expect("a file for the table");
    let path = path.to_str().expect("a path in UTF-8");
    for more in [&[][..], &["--chunk", "32", "--overlap", "8"]] {
        let fixed = ["fuzz", "--input", path, "--input-format", format];
        let args = Args::parse_from(fixed.iter().chain(more));
        match read(&args, more.is_empty()) {
            Ok(()) | Err(Failure::ClosedPipe) => {}
            Err(Failure::Failed(message) | Failure::Usage(message)) => {
                assert!(!message.contains("panicked"), "{message}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn read(args: &Args, keep: bool) -> Result<(), Failure> {
    let inputs = args.table.inputs()?;
    let open = || -> Result<Records, Failure> {
        let records = args.table.open(&inputs, keep, None)?.quiet();
        Ok(records.chunked(args.chunk.chunker(Unicode::None)?, Some("a: ")))
    };
    let mut records = open()?;
    if keep {
        records.learn_columns(Some(open()?))?;
    }
    loop {
        match records.next() {
            Ok(Some(entry)) => assert!(entry.bytes() >= entry.text.len()),
            Ok(None) => return Ok(()),
            Err(Fault::Record { .. }) => {}
            Err(Fault::Input(failure)) => return Err(failure),
        }
    }
}

/// In memory, where the system has files there.
fn new_file(format: &str) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("monomorph-fuzz-{}.{format}", process::id()))
}
