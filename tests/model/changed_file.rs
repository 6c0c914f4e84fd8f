//! A model file that changes under a running embedder: a request fails instead of ending the process or giving vectors
//! of other weights, and a file renamed over the old one does no harm.

use crate::support::scratch_file;
use monomorph::built::SOURCE;
use monomorph::{Embedder, Error};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const TEXT: &str = "Mars is red.";

/// A copy of the build's model, last modified an hour ago because file systems keep time in steps of some milliseconds.
fn copy(name: &str) -> PathBuf {
    let path = scratch_file(name);
    let _ = fs::remove_file(&path);
    fs::copy(SOURCE, &path).expect("the folder is writable");
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    writable(&path).set_modified(an_hour_ago).expect("a time of modification");
    path
}

fn writable(path: &PathBuf) -> File {
    File::options().write(true).open(path).expect("the copy")
}

#[test]
fn a_file_that_was_cut_is_an_error_and_no_signal() {
    let path = copy("cut-while-mapped.gguf");
    let len = fs::metadata(&path).expect("the copy").len();
    let embedder = Embedder::options().threads(2).open(&path).expect("it fits");
    let before = embedder.embed(TEXT).expect("a vector");
    // Without the check, this request would read past the end of the file, which raises SIGBUS.
    writable(&path).set_len(4096).expect("a shorter file");
    let error = embedder.embed(TEXT).expect_err("a cut file");
    assert!(
        matches!(error, Error::Changed { opened_bytes, bytes: 4096, .. } if opened_bytes == len)
    );
    let message = error.to_string();
    for words in [&path.display().to_string(), "to 4096 bytes", "open it again", "renaming"] {
        assert!(message.contains(words), "{message}");
    }
    assert!(!message.contains('\n'));
    // Requests for several texts are refused as well.
    assert!(embedder.embed_batch(&[TEXT; 3]).is_err());
    drop(embedder);
    fs::remove_file(&path).expect("the copy");
    fs::copy(SOURCE, &path).expect("the folder is writable");
    let reopened = Embedder::open(&path).expect("it fits again");
    assert_eq!(reopened.embed(TEXT).expect("a vector"), before);
}

#[test]
fn a_file_that_was_written_to_is_an_error() {
    let path = copy("written-while-mapped.gguf");
    let embedder = Embedder::open(&path).expect("it fits");
    embedder.embed(TEXT).expect("a vector");
    let mut file = writable(&path);
    file.seek(SeekFrom::End(-64)).expect("the end");
    file.write_all(&[0; 64]).expect("the last block");
    drop(file);
    let error = embedder.embed(TEXT).expect_err("other weights");
    assert!(matches!(error, Error::Changed { .. }), "{error}");
    assert!(error.to_string().contains("was modified after it was opened"), "{error}");
}

/// Replaces the file in the way that the manual tells users to.
#[test]
fn a_file_renamed_over_it_changes_nothing() {
    let path = copy("renamed-while-mapped.gguf");
    let embedder = Embedder::open(&path).expect("it fits");
    let before = embedder.embed(TEXT).expect("a vector");
    let other = scratch_file("renamed-while-mapped.new");
    fs::write(&other, "another file").expect("the folder is writable");
    fs::rename(&other, &path).expect("the same file system");
    assert_eq!(embedder.embed(TEXT).expect("a vector"), before);
    fs::remove_file(&path).expect("the new file");
    assert_eq!(embedder.embed(TEXT).expect("a vector"), before);
    assert!(Embedder::open(&path).is_err());
}
