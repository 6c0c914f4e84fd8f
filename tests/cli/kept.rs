//! Files that a run must not lose or leave: its input, what others wrote, and what an interruption interrupts.

use std::fs;
#[cfg(unix)]
use std::io::Write;
#[cfg(unix)]
use std::process::{Child, Stdio};
#[cfg(unix)]
use std::thread::sleep;
#[cfg(unix)]
use std::time::Duration;

use super::support::*;

const JSONL: &[u8] = b"{\"text\":\"one\"}\n{\"text\":\"two\"}\n";

#[test]
fn an_input_is_not_overwritten_by_its_vectors() {
    let folder = Folder::new("kept-input");
    let inputs = [("in.jsonl", JSONL), ("in.csv", b"text\none\n"), ("in.txt", b"one\n")];
    for (name, bytes) in inputs {
        let input = folder.write(name, bytes);
        #[allow(unused_mut)]
        let mut outputs = vec![input.clone(), folder.argument(&format!("./{name}"))];
        #[cfg(unix)]
        {
            let (link, hard) = (folder.path("link"), folder.path("hard"));
            for old in [&link, &hard] {
                let _ = fs::remove_file(old);
            }
            std::os::unix::fs::symlink(&input, &link).unwrap();
            fs::hard_link(&input, &hard).unwrap();
            outputs.extend([folder.argument("link"), folder.argument("hard")]);
        }
        for output in &outputs {
            for command in ["embed", "batch", "ranges"] {
                if command == "embed" && name == "in.csv" {
                    continue;
                }
                let format: &[&str] = if command == "ranges" { &[] } else { &["--format", "csv"] };
                let fixed = [command, "--input", &input, "--output", output];
                let outcome = run(&[&fixed[..], format].concat());
                assert!(outcome.failure(2).ends_with("is also the input; name another file"));
                assert_eq!(fs::read(&input).unwrap(), bytes, "{command} {output}");
            }
        }
    }
    let ranges = folder.argument("ranges.npy");
    let input = folder.argument("in.jsonl");
    run(&["ranges", "--input", &input, "--output", &ranges]).good();
    let int8 = ["--precision", "int8", "--ranges", &ranges, "--output", &ranges];
    for command in ["embed", "batch"] {
        let outcome = run(&[&[command, "--input", &input][..], &int8].concat());
        assert!(outcome.failure(2).contains("is also --ranges; "), "{}", outcome.stderr);
    }
    let model = folder.argument("model.gguf");
    fs::write(&model, b"not even a model").unwrap();
    let outcome = run(&["embed", "--model", &model, "--output", &model, "one"]);
    assert!(outcome.failure(2).contains("is also the model; "), "{}", outcome.stderr);
    // The shell opens it, to append.
    #[cfg(target_os = "linux")]
    {
        let binary = env!("CARGO_BIN_EXE_monomorph");
        let append = format!("{binary} embed --input {input} >> {input}");
        let outcome = std::process::Command::new("sh").args(["-c", &append]).output().unwrap();
        assert!(Outcome::from(outcome).failure(2).contains("is also the input"));
        assert_eq!(fs::read(&input).unwrap(), JSONL);
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_or_left_alone() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new("kept-links");
    let input = folder.write("in.jsonl", JSONL);
    for command in ["embed", "batch"] {
        // A link to a link to a file that is not there yet.
        for old in ["a", "b", "c.raw"] {
            let _ = fs::remove_file(folder.path(old));
        }
        symlink("b", folder.path("a")).unwrap();
        symlink("c.raw", folder.path("b")).unwrap();
        let output = folder.argument("a");
        run(&[command, "--input", &input, "--output", &output, "--format", "raw"]).good();
        assert_eq!(fs::read(folder.path("c.raw")).unwrap().len(), 2 * 4 * dimensions());
        assert!(folder.path("a").is_symlink() && folder.path("b").is_symlink());
    }
    symlink("loop", folder.path("loop")).unwrap();
    let output = folder.argument("loop");
    run(&["embed", "--output", &output, "one"]).failure(1);
    assert!(folder.path("loop").is_symlink());

    // A link in the place of what a run leaves is somebody else's.
    let other = folder.write("other", b"precious");
    for beside in ["out.raw.part", "out.raw.checkpoint.new"] {
        symlink(&other, folder.path(beside)).unwrap();
        let output = folder.argument("out.raw");
        let outcome = run(&["batch", "--input", &input, "--output", &output, "--restart"]);
        assert_eq!(fs::read(&other).unwrap(), b"precious", "{beside}");
        if beside.ends_with("part") {
            assert!(outcome.failure(1).contains("out.raw.part is in the way"));
            fs::remove_file(folder.path(beside)).unwrap();
        } else {
            outcome.good();
            assert!(!folder.path("out.raw").is_symlink());
        }
    }
}

/// The checkpoint of a Parquet file holds texts: the least and the greatest of each row group.
#[cfg(unix)]
#[test]
fn a_checkpoint_is_as_private_as_its_output() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("kept-mode");
    let input = folder.write("in.jsonl", b"{\"text\":\"one\"}\noops\n");
    for name in ["out.parquet", "out.raw"] {
        if name.ends_with("parquet") && cfg!(not(feature = "parquet")) {
            continue;
        }
        let output = folder.write(name, b"old");
        fs::set_permissions(&output, fs::Permissions::from_mode(0o600)).unwrap();
        run(&["batch", "--input", &input, "--output", &output]).failure(1);
        for beside in ["part", "checkpoint"] {
            let file = fs::metadata(folder.path(&format!("{name}.{beside}"))).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}.{beside}");
        }
    }
}

/// Waits until a file is there.
#[cfg(unix)]
fn wait_for(is_there: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is_there() {
            return;
        }
        sleep(Duration::from_millis(5));
    }
    panic!("it never came");
}

#[cfg(unix)]
fn kill(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let status = std::process::Command::new("kill").args([signal, &pid]).status();
    assert!(status.expect("kill").success());
}

#[cfg(unix)]
#[test]
fn another_run_at_work_keeps_its_files() {
    let folder = Folder::new("kept-running");
    let output = folder.argument("out.raw");
    let mut first =
        command(&["batch", "--input", "-", "--input-format", "lines", "--output", &output]);
    let mut first = first.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = first.stdin.take().unwrap();
    writeln!(stdin, "one").unwrap();
    wait_for(|| folder.path("out.raw.checkpoint").exists());
    let input = folder.write("in.jsonl", JSONL);
    for more in [&[][..], &["--resume"], &["--restart"]] {
        let outcome = run(&[&["batch", "--input", &input, "--output", &output], more].concat());
        assert!(outcome.failure(1).starts_with("another run is writing "), "{}", outcome.stderr);
        assert!(folder.path("out.raw.checkpoint").exists(), "{more:?}");
    }
    drop(stdin);
    Outcome::from(first.wait_with_output().unwrap()).good();
    assert_eq!(fs::read(&output).unwrap().len(), 4 * dimensions());
}

/// nohup ignores SIGHUP, and a shell's `&` in a script SIGINT.
#[cfg(target_os = "linux")]
#[test]
fn ignored_signals_stay_ignored() {
    for (ignored, other) in [("HUP", "-INT"), ("INT", "-TERM")] {
        let folder = Folder::new(&format!("kept-ignored-{ignored}"));
        let output = folder.argument("out.raw");
        let start = || {
            let binary = env!("CARGO_BIN_EXE_monomorph");
            let arguments =
                format!("batch --input - --input-format lines --output {output} --restart");
            let script = format!("trap '' {ignored}; exec {binary} {arguments}");
            let mut shell = signalled("sh");
            shell.args(["-c", &script]).env_remove("MODEL_GGUF");
            shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut child = shell.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, "one").unwrap();
            wait_for(|| folder.path("out.raw.checkpoint").exists());
            (child, stdin)
        };
        let (child, stdin) = start();
        kill(&child, &format!("-{ignored}"));
        sleep(Duration::from_millis(100));
        drop(stdin);
        Outcome::from(child.wait_with_output().unwrap()).good();
        assert_eq!(folder.names(), ["out.raw"]);
        let (child, _stdin) = start();
        kill(&child, other);
        assert_eq!(Outcome::from(child.wait_with_output().unwrap()).code, Some(130));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_embed_leaves_nothing() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let folder = Folder::new(&format!("kept-embed{signal}"));
        let output = folder.write("out.npy", b"old");
        let mut child = interruptible(&["embed", "--input", "-", "--output", &output]);
        let mut child = child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "one").unwrap();
        wait_for(|| folder.names().len() == 2);
        // The file is there just before it is noted for removal.
        sleep(Duration::from_millis(50));
        kill(&child, signal);
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.failure(130), "interrupted; nothing was written");
        assert_eq!(folder.names(), ["out.npy"]);
        assert_eq!(fs::read(&output).unwrap(), b"old");
        drop(stdin);
    }
}

/// `>(command)` of a shell is such a path.
#[cfg(target_os = "linux")]
#[test]
fn pipes_of_the_shell_are_written() {
    let folder = Folder::new("kept-pipes");
    let input = folder.write("in.txt", b"one\n");
    let expected = run(&["embed", "--format", "csv", "one"]).good();
    for command in ["embed", "batch"] {
        for open in ["3>&1 | cat", "3>&1"] {
            let binary = env!("CARGO_BIN_EXE_monomorph");
            let arguments = format!("--input {input} --output /dev/fd/3 --format csv");
            let script = format!("{binary} {command} {arguments} {open}");
            let outcome = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(Outcome::from(outcome).good(), expected, "{script}");
        }
        let file = folder.argument("out.csv");
        let binary = env!("CARGO_BIN_EXE_monomorph");
        let script =
            format!("{binary} {command} --input {input} --output /dev/fd/3 --format csv 3>{file}");
        let outcome = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        Outcome::from(outcome).good();
        assert_eq!(fs::read(&file).unwrap(), expected, "{script}");
    }
}

/// A finished file is what was asked for, or an error.
#[cfg(feature = "parquet")]
#[test]
fn a_finished_output_of_another_prompt_is_not_taken() {
    let folder = Folder::new("kept-finished");
    let input = folder.write("in.jsonl", JSONL);
    let output = folder.argument("out.parquet");
    let fixed = ["batch", "--input", &input, "--output", &output];
    run(&fixed).good();
    let resume = |more: &[&str]| run(&[&fixed[..], &["--resume"], more].concat());
    let outcome = resume(&[]);
    assert!(outcome.stderr.contains("nothing to resume"), "{}", outcome.stderr);
    outcome.good();
    for (more, how) in [
        (&["--prefix", "a: "][..], "was made with the prompt none, not custom; --restart"),
        (&["--precision", "float16"], "was made with the precision float32, not float16; "),
    ] {
        assert!(resume(more).failure(1).contains(how), "{how}");
    }
}

/// The types of columns are part of what a run goes on with.
#[cfg(feature = "parquet")]
#[test]
fn changed_columns_are_named() {
    let folder = Folder::new("kept-columns");
    let input =
        folder.write("in.jsonl", b"{\"text\":\"one\",\"n\":1}\noops\n{\"text\":\"two\",\"n\":2}\n");
    let output = folder.argument("out.parquet");
    let fixed = ["batch", "--input", &input, "--output", &output];
    run(&fixed).failure(1);
    fs::write(&input, b"{\"text\":\"one\",\"n\":1}\n{\"text\":\"two\",\"n\":2.5}\n").unwrap();
    let outcome = run(&[&fixed[..], &["--resume"]].concat());
    let message = outcome.failure(1);
    assert!(message.contains("the input is not the one that the unfinished run read"), "{message}");
    assert!(message.contains("--restart") && message.len() < 300, "{message}");
}

#[test]
fn names_say_formats_that_are_written() {
    let folder = Folder::new("kept-names");
    let input = folder.write("in.jsonl", JSONL);
    for command in ["embed", "batch"] {
        let (a, b) = (folder.argument("a.ndjson"), folder.argument("b.jsonl"));
        run(&[command, "--input", &input, "--output", &a]).good();
        run(&[command, "--input", &input, "--output", &b]).good();
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
        for name in ["o.arrow", "o.NPZ", "o.safetensors"] {
            let output = folder.argument(name);
            let outcome = run(&[command, "--input", &input, "--output", &output]);
            assert!(outcome.failure(2).contains(name), "{}", outcome.stderr);
            assert!(!folder.path(name).exists());
        }
    }
    run(&["embed", "--output", &folder.argument("o.npz"), "--format", "npy", "one"]).good();
}
