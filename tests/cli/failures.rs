//! Ways to fail: each is one clear line, the right exit code, and nothing lost.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use super::support::*;

#[test]
fn files_that_are_no_model_are_refused() {
    let folder = Folder::new("models");
    let model = fs::File::open(monomorph::built::SOURCE).unwrap();
    let mut half = Vec::new();
    let length = model.metadata().unwrap().len() / 2;
    model.take(length.min(16 << 20)).read_to_end(&mut half).unwrap();
    let cut = folder.write("cut.gguf", &half);
    let text = folder.write("text.gguf", b"Hello world\n");
    let empty = folder.write("empty.gguf", b"");
    let missing = folder.argument("missing.gguf");
    let directory = folder.argument("");
    for path in [&cut, &text, &empty, &missing, &directory, "/dev/null"] {
        for arguments in [
            &["embed", "--model", path, "one"][..],
            &["verify", "--model", path],
            &["inspect", path],
        ] {
            let outcome = run(arguments);
            assert!(outcome.failure(1).contains(path), "{arguments:?}: {}", outcome.stderr);
            assert!(outcome.stdout.is_empty());
        }
    }
    let mut from_environment = command(&["embed", "one"]);
    from_environment.env("MODEL_GGUF", &missing);
    assert!(Outcome::of(from_environment).failure(1).contains(&missing));
}

/// What people have instead of a model, and what to do.
#[test]
fn files_that_are_something_else_are_named() {
    let folder = Folder::new("models-else");
    let zip = folder.write("pytorch_model.bin", b"PK\x03\x04\0\0\x08\x08");
    let old = folder.write("old.bin", b"tjgg\x03\0\0\0");
    let page = folder.write("page.gguf", b"<html lang=\"en\">");
    for (path, message) in [
        (case("lfs_pointer.gguf"), "a Git LFS pointer; git lfs pull fetches the file itself"),
        (case("web_page.gguf"), "a web page; a model that asks for a login"),
        (case("safetensors.gguf"), "safetensors; convert the model"),
        (zip, "a zip archive, as PyTorch writes; convert"),
        (old, "a GGML file from before GGUF"),
        (page, "a web page"),
    ] {
        for arguments in [&["inspect", &path][..], &["embed", "--model", &path, "one"]] {
            let outcome = run(arguments);
            let said = outcome.failure(1);
            assert!(said.starts_with(&format!("{path}: not a GGUF file: ")), "{said}");
            assert!(said.contains(&format!("; it is {message}")), "{said}");
        }
    }
}

/// Names in messages come from strangers' files.
#[test]
fn messages_do_nothing_to_a_terminal() {
    let folder = Folder::new("controls");
    let csv = case("control_characters_in_names.csv");
    let keys =
        folder.write("keys.jsonl", b"{\"a\\u001b[2J\\nb\":1,\"Text\\n\":2,\"\\u001btext\":1}\n");
    let path = folder.argument("\x1b[31mred\n\u{202e}.jsonl");
    let long =
        folder.write("long.jsonl", format!("{{\"{}\":1}}\n", "k".repeat(1 << 20)).as_bytes());
    for input in [&csv, &keys, &path, &long] {
        for more in [&[][..], &["--id-column", "\x1b[31mid"]] {
            let output = folder.argument("o.npy");
            let outcome = run(&[&["batch", "--input", input, "--output", &output], more].concat());
            let message = outcome.failure(1);
            assert!(!message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message}");
            assert!(message.len() < 2300, "{}", message.len());
        }
    }
    let late = "{\"text\":\"a\"}\n".repeat(1000) + "{\"text\":\"a\",\"\\u001b[2Jnew\":1}\n";
    let output = folder.argument("o.parquet");
    let outcome = run_with_input(&["batch", "--input", "-", "--output", &output], late.as_bytes());
    if cfg!(feature = "parquet") {
        assert!(outcome.failure(1).contains("`\\u{1b}[2Jnew`"), "{}", outcome.stderr);
    }
}

#[test]
fn ranges_are_checked() {
    let folder = Folder::new("ranges-checked");
    let vectors = folder.argument("v.npy");
    run(&["embed", "--output", &vectors, "a", "b", "c"]).good();
    let two = folder.argument("two.npy");
    run(&["embed", "--output", &two, "a", "b"]).good();
    let mut nan = fs::read(&two).unwrap();
    nan[128..132].copy_from_slice(&f32::NAN.to_le_bytes());
    let nan = folder.write("nan.npy", &nan);
    for (ranges, message) in [
        (&vectors, "expected two rows, minimums and maximums"),
        (&two, "no ranges: "),
        (&nan, "no ranges: NaN to "),
    ] {
        let outcome = run(&["embed", "--precision", "int8", "--ranges", ranges, "one"]);
        assert!(outcome.failure(1).contains(message), "{}", outcome.stderr);
    }
}

#[test]
fn input_that_cannot_be_read_is_named() {
    let folder = Folder::new("input");
    for path in [folder.argument("missing.txt"), folder.argument("")] {
        let outcome = run(&["embed", "--input", &path]);
        assert!(
            outcome.failure(1).starts_with(&format!("cannot read {path}: ")),
            "{}",
            outcome.stderr
        );
    }
    let bad = folder.write("bad.jsonl", b"{\"text\":\"one\"}\n{\"txt\":\"two\"}\n");
    let outcome = run(&["embed", "--input", &bad]);
    assert_eq!(outcome.failure(1), format!("{bad}, line 2: no key `text`"));
    assert_eq!(
        outcome.stdout.iter().filter(|&&byte| byte == b'\n').count(),
        1,
        "the text before it has its vector"
    );
}

#[test]
fn invalid_utf8_is_named_by_its_line() {
    let outcome = run_with_input(&["embed"], b"one\ntwo \xFF\nthree\n");
    assert_eq!(outcome.failure(1), "standard input, line 2: not valid UTF-8 at byte 5 (0xFF)");
    assert_eq!(outcome.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
}

#[test]
fn long_texts_can_be_an_error() {
    let folder = Folder::new("none");
    let long = serde_json::json!({ "text": long_text(), "id": 7 });
    let input = folder.write("in.jsonl", format!("{{\"text\":\"short\"}}\n{long}\n").as_bytes());
    let outcome = run(&["embed", "--truncate", "none", "--input", &input]);
    assert!(outcome.failure(1).contains("in.jsonl, line 2 (id 7): "), "{}", outcome.stderr);
}

#[test]
fn usage_errors_have_their_own_exit_code() {
    for arguments in [
        &["embed", "--prompt", "query", "--title", "t", "one"][..],
        &["embed", "--dimensions", "1000000", "one"],
        &["similarity", "one"],
    ] {
        run(arguments).failure(2);
    }
    for arguments in [
        &[][..],
        &["embed", "--prompt", "query", "--prefix", "p", "one"],
        &["embed", "--dimensions", "0", "one"],
        &["embed", "--threads", "0", "one"],
        &["embed", "--input", "-", "one"],
        &["embed", "--format", "xml", "one"],
        &["bench"],
        &["bench", "--input", "x", "--mode", "single", "--seconds", "nan"],
        &["embd"],
    ] {
        let outcome = run(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty());
    }
    let outcome = run(&["embed", "--prompt", "serch", "one"]);
    assert_eq!(outcome.code, Some(2));
    for name in monomorph::built::SPEC.prompts.iter().flat_map(|prompt| prompt.names) {
        assert!(outcome.stderr.contains(name), "{}", outcome.stderr);
    }
}

/// `>&-`: an answer that nobody gets is an error, and a run that prints none goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_closed_standard_output_is_an_error() {
    let folder = Folder::new("closed-output");
    let vectors =
        folder.write("in.jsonl", b"{\"embedding\":[1.0,0.5]}\n{\"embedding\":[1.0,0.5]}\n");
    let binary = env!("CARGO_BIN_EXE_monomorph");
    let closed = |arguments: &[&str]| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" >&-", binary]).args(arguments);
        Outcome::of(shell)
    };
    run(&["--version"]).good();
    for arguments in [
        &["embed", "hello"][..],
        &["embed", "hello", "--format", "npy"],
        &["tokenize", "hello"],
        &["similarity", "a", "b"],
        &["dedupe", "--in", &vectors],
        &["inspect", "--self"],
        &["batch", "--help"],
        &["--version"],
    ] {
        let outcome = closed(arguments);
        assert!(outcome.failure(1).starts_with("cannot write standard output: it is closed"));
    }
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec \"$0\" embed --input - <&-", binary]);
    assert_eq!(Outcome::of(shell).failure(1), "cannot read standard input: it is closed");
    let output = folder.argument("out.npy");
    assert_eq!(closed(&["embed", "hello", "--output", &output]).code, Some(0));
    assert!(folder.path("out.npy").exists());
}

#[test]
fn closed_pipe_is_a_quiet_end() {
    let input = "text\n".repeat(2000);
    for arguments in [&["embed"][..], &["embed", "--format", "csv"], &["tokenize"]] {
        let mut child = command(arguments);
        let mut child = child
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().unwrap();
        // The binary may be gone before it has read everything.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        drop(stdin);
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("error"), "{}", outcome.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_one_line() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let inspect = ["inspect", monomorph::built::SOURCE];
    for arguments in [
        &["embed", "one"][..],
        &["tokenize", "one"],
        &["similarity", "one", "two"],
        &inspect,
        &["inspect", "--self"],
        &["--license"],
        &["--help"],
    ] {
        let mut command = command(arguments);
        command.stdout(full());
        let outcome = Outcome::of(command);
        assert!(
            outcome.failure(1).starts_with("cannot write standard output: "),
            "{}",
            outcome.stderr
        );
    }
    for format in ["jsonl", "npy", "json", "csv"] {
        let outcome = run(&["embed", "--format", format, "--output", "/dev/full", "one"]);
        assert!(outcome.failure(1).starts_with("cannot write /dev/full: "), "{}", outcome.stderr);
    }
}

#[test]
fn failure_leaves_the_old_output() {
    let folder = Folder::new("old");
    let output = folder.write("out.npy", b"old");
    let input = folder.write("in.txt", b"one\n\xFF\n");
    run(&["embed", "--input", &input, "--output", &output]).failure(1);
    assert_eq!(fs::read(&output).unwrap(), b"old");
    assert_eq!(folder.names(), ["in.txt", "out.npy"], "no temporary file is left");
    run(&["embed", "--output", &output, "one"]).good();
    assert_ne!(fs::read(&output).unwrap(), b"old");
    assert_eq!(folder.names(), ["in.txt", "out.npy"]);
    let nowhere = folder.argument("missing/out.npy");
    assert!(run(&["embed", "--output", &nowhere, "one"]).failure(1).contains(&nowhere));
}
