//! `batch`: formats in, formats out, parts of the work, and what is left of it when it is stopped.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::support::*;

/// A table of so many short texts, and the same as lines.
fn table(n: usize) -> (String, String) {
    let text = |i: usize| format!("note {} of {}", i * i % 97, i % 13);
    let line = |i: usize| {
        json!({"id": i, "text": text(i), "even": i.is_multiple_of(2)}).to_string() + "\n"
    };
    ((0..n).map(line).collect(), (0..n).map(|i| text(i) + "\n").collect())
}

fn raw(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

#[test]
fn every_format_of_input_gives_the_vectors_of_embed() {
    let folder = Folder::new("batch-inputs");
    let (jsonl, lines) = table(700);
    let expected = run_with_input(&["embed", "--format", "raw"], lines.as_bytes()).good();
    let quoted = |delimiter: &str| -> String {
        let row = |(i, line): (usize, &str)| format!("{i}{delimiter}\"{line}\"\r\n");
        format!("\u{FEFF}id{delimiter}text\r\n")
            + &lines.lines().enumerate().map(row).collect::<String>()
    };
    for (name, content) in [
        ("in.jsonl", jsonl.clone()),
        ("in.txt", lines.clone()),
        ("in.csv", quoted(",")),
        ("in.tsv", quoted("\t")),
    ] {
        let (input, output) = (folder.write(name, content.as_bytes()), folder.argument("out.raw"));
        run(&["batch", "--input", &input, "--output", &output, "--restart"]).good();
        assert!(raw(&output) == expected, "{name}");
    }
    let piped = ["batch", "--input", "-", "--input-format", "jsonl", "--output", "-"];
    let stdout = run_with_input(&[&piped[..], &["--format", "raw"]].concat(), jsonl.as_bytes());
    assert!(stdout.good() == expected, "through pipes");
    assert_eq!(folder.names(), ["in.csv", "in.jsonl", "in.tsv", "in.txt", "out.raw"]);
}

#[test]
fn formats_of_output_are_those_of_embed() {
    let folder = Folder::new("batch-outputs");
    let input = folder.write("in.jsonl", table(20).0.as_bytes());
    for format in ["npy", "raw", "jsonl", "csv", "tsv"] {
        let (own, embed) = (folder.argument(&format!("a.{format}")), folder.argument("b"));
        run(&["batch", "--input", &input, "--output", &own]).good();
        run(&["embed", "--input", &input, "--output", &embed, "--format", format]).good();
        assert!(raw(&own) == raw(&embed), "{format}");
    }
    let outcome = run(&["batch", "--input", &input, "--output", &folder.argument("a.out")]);
    assert!(outcome.failure(2).starts_with("--format: "));
    let outcome = run(&["embed", "--output", &folder.argument("a.parquet"), "one"]);
    assert!(outcome.failure(2).contains("monomorph batch"));
}

#[test]
fn columns_are_named() {
    let folder = Folder::new("batch-columns");
    let csv =
        folder.write("in.csv", b"key,title,body\nx,Planets,\"Mars, the\nred one\"\ny,,Venus\n");
    let output = folder.argument("out.jsonl");
    let batch = |more: &[&str]| {
        let fixed = ["batch", "--input", &csv, "--output", &output, "--column", "body"];
        run(&[&fixed[..], more].concat())
    };
    batch(&["--id-column", "key", "--title-column", "title", "--prompt", "document"]).good();
    let lines = fs::read_to_string(&output).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!([&lines[0]["id"], &lines[1]["id"]], ["x", "y"]);
    let titled =
        run(&["embed", "--prompt", "document", "--title", "Planets", "Mars, the\nred one"]);
    assert_eq!(lines[0]["embedding"], titled.json_lines()[0]["embedding"]);
    for (arguments, code, message) in [
        (&["--id-column", "no"][..], 1, "no column \"no\"; it has key, title, body"),
        (&["--title-column", "title"], 2, "--title-column needs --prompt document"),
    ] {
        assert!(batch(arguments).failure(code).contains(message));
    }
    let lines = folder.write("in.txt", b"one\n");
    let outcome = run(&["batch", "--input", &lines, "--output", &output, "--column", "x"]);
    assert!(outcome.failure(2).contains("lines have no columns"));
}

#[test]
fn bad_records_stop_the_run_or_are_left_out() {
    let folder = Folder::new("batch-bad");
    let long = json!({ "text": long_text() }).to_string();
    let bytes = [
        &b"{\"text\":\"one\"}\n\n{\"txt\":1}\nnot json\n{\"text\":7}\n"[..],
        b"{\"text\":\"t\xFF\"}\n",
        b"{\"text\":\"one\",\"text\":\"two\"}\n",
        long.as_bytes(),
        b"\n{\"text\":\"two\"}\n{",
    ]
    .concat();
    let input = folder.write("in.jsonl", &bytes);
    let output = folder.argument("out.npy");
    let fixed = ["batch", "--input", &input, "--output", &output, "--truncate", "none"];
    let outcome = run(&fixed);
    assert_eq!(
        outcome.failure(1),
        format!("{input}, line 3: no key `text`; choose the key of the texts with --column")
    );
    let how = "note: 1 vector written so far; run the same command with --resume to continue, with --keep-going to skip \
               bad records\n";
    assert!(outcome.stderr.contains(how), "{}", outcome.stderr);
    assert_eq!(folder.names(), ["in.jsonl", "out.npy.checkpoint", "out.npy.part"]);

    let outcome = run(&[&fixed[..], &["--resume", "--keep-going"]].concat());
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    let warned: Vec<&str> =
        outcome.stderr.lines().filter_map(|line| line.strip_prefix("warning: ")).collect();
    assert_eq!(warned.len(), 7, "{}", outcome.stderr);
    for line in [3, 4, 5, 6, 7, 8, 10] {
        let place = format!("{input}, line {line}: ");
        assert!(warned.iter().any(|warning| warning.starts_with(&place)), "{line}: {warned:?}");
    }
    assert!(outcome.stderr.ends_with("error: 7 records were skipped\n"));
    let expected = run(&["embed", "--format", "npy", "one", "two"]).good();
    assert!(raw(&output) == expected);
    assert_eq!(folder.names(), ["in.jsonl", "out.npy"]);

    // A run that wrote nothing is not in the way of the next.
    let other = folder.write("other.jsonl", b"{\"body\":\"one\"}\n");
    let fixed = ["batch", "--input", &other, "--output", &output, "--restart"];
    assert!(run(&fixed).failure(1).contains("no key `text`"));
    run(&[&fixed[..5], &["--column", "body"]].concat()).good();
    let outcome = run(&["batch", "--input", &other, "--column", "body", "--output", &other]);
    assert!(outcome.failure(2).contains("other.jsonl is also the input"), "{}", outcome.stderr);
    assert_eq!(raw(&other), b"{\"body\":\"one\"}\n");

    let csv = folder.write("in.csv", b"text,x\na,1\nb\nc,2\n\xFF,3\n");
    let outcome = run(&["batch", "--input", &csv, "--output", &output, "--keep-going"]);
    assert_eq!(outcome.code, Some(3));
    assert!(outcome.stderr.contains("in.csv, line 3: 1 value, but"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("in.csv, line 5: column \"text\" is not valid UTF-8"));
    // Lines are those of an editor, whatever ends them, and blank ones count.
    let csv = folder.write("in.csv", b"text,x\r\n\r\na,\"1\r\n\r\n1\"\r\nb\r\n\n\r\n\xFF,3\r\nc");
    let arguments = ["batch", "--input", &csv, "--output", &output, "--keep-going", "--restart"];
    let outcome = run(&arguments);
    for place in ["line 6: 1 value", "line 9: column", "line 10: 1 value"] {
        assert!(outcome.stderr.contains(&format!("in.csv, {place}")), "{}", outcome.stderr);
    }
}

#[test]
fn shards_follow_each_other() {
    let folder = Folder::new("batch-shards");
    let input = folder.write("in.jsonl", format!("oops\n{}", table(100).0).as_bytes());
    let batch = |output: &str, more: &[&str]| {
        let output = folder.argument(output);
        let fixed = ["batch", "--input", &input, "--output", &output, "--keep-going"];
        run(&[&fixed[..], more].concat())
    };
    assert_eq!(batch("whole.raw", &[]).code, Some(3));
    let mut together = Vec::new();
    for (i, code) in [3, 0, 0].into_iter().enumerate() {
        let outcome = batch("part.raw", &["--shard", &format!("{i}/3")]);
        assert_eq!(outcome.code, Some(code), "only the first has the bad line: {}", outcome.stderr);
        together.extend(raw(&folder.argument("part.raw")));
    }
    assert!(together == raw(&folder.argument("whole.raw")));
    // Positions are those of the whole table.
    let csv = folder.write("in.txt", b"a\nb\nc\n");
    let output = folder.argument("out.csv");
    run(&["batch", "--input", &csv, "--output", &output, "--shard", "1/2"]).good();
    let rows = fs::read_to_string(&output).unwrap();
    let ids: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["1", "2"]);
    let piped = ["batch", "--input", "-", "--output", &output, "--shard", "0/2"];
    assert!(run(&piped).failure(2).contains("--shard needs an input file"));
}

/// Kills the run wherever it is, again and again, until one gets through.
#[test]
fn killed_runs_go_on() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("batch-killed");
    let input = folder.write("in.jsonl", table(1500).0.as_bytes());
    // Instructions have no part in this: where they are slow, one format will do.
    let is_slow = std::env::var("MONOMORPH_ISA").is_ok_and(|isa| isa == "scalar");
    for format in if is_slow { &FORMATS[..1] } else { FORMATS } {
        let (whole, output) = (
            folder.argument(&format!("whole.{format}")),
            folder.argument(&format!("out.{format}")),
        );
        run(&["batch", "--input", &input, "--output", &whole]).good();
        // One thread reads the fewest texts ahead, and so makes the most checkpoints.
        let fixed = ["batch", "--input", &input, "--output", &output, "--threads", "1"];
        let arguments = [&fixed[..], &["--checkpoint", "0", "--resume"]].concat();
        let mut kills = 0;
        for attempt in 1.. {
            let mut child =
                command(&arguments).stderr(Stdio::null()).spawn().expect("the binary starts");
            // Half as long again each time, so that a slow machine gets through too.
            sleep(Duration::from_millis(20).mul_f64(1.5f64.powi(attempt)));
            child.kill().expect("a signal");
            // The signal may come after the last act, which gives the output its name.
            if child.wait().expect("the end").success() || fs::exists(&output).expect("a folder") {
                break;
            }
            kills += 1;
        }
        println!("{format}: whole after {kills} kills");
        assert!(kills > 0, "the run was never interrupted");
        assert!(vectors_of(&output) == vectors_of(&whole), "{format}");
    }
}

#[cfg(feature = "parquet")]
const FORMATS: &[&str] = &["npy", "jsonl", "parquet"];
#[cfg(not(feature = "parquet"))]
const FORMATS: &[&str] = &["npy", "jsonl"];

/// What must be the same: everything, but in Parquet, whose row groups end where checkpoints were made.
fn vectors_of(path: &str) -> Vec<u8> {
    #[cfg(feature = "parquet")]
    if path.ends_with(".parquet") {
        return super::parquet::embeddings(path).into_iter().flat_map(f32::to_le_bytes).collect();
    }
    raw(path)
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_a_run_to_go_on_with() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("batch-signal");
    let with_a_bad_line = |n| format!("oops\n{}", table(n).0);
    let input = folder.write("in.jsonl", with_a_bad_line(8_000).as_bytes());
    let output = folder.argument("out.raw");
    let fixed = ["batch", "--input", &input, "--output", &output, "--checkpoint", "0"];
    let arguments = [&fixed[..], &["--keep-going"]].concat();
    let mut command = interruptible(&arguments);
    let child = command.stderr(Stdio::piped()).spawn().expect("the binary starts");
    let part = folder.path("out.raw.part");
    while fs::metadata(&part).map_or(0, |part| part.len()) == 0 {
        sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    let kill = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.expect("kill").success());
    let outcome = Outcome::from(child.wait_with_output().expect("the end"));
    assert!(outcome.failure(130).ends_with("; run the same command with --resume to continue"));

    // Another run that is still writing keeps its checkpoint.
    let held = fs::File::open(&part).expect("the part");
    held.lock().expect("a lock");
    let outcome = run(&[&arguments[..], &["--restart"]].concat());
    assert!(outcome.failure(1).starts_with("another run is writing"), "{}", outcome.stderr);
    assert!(folder.path("out.raw.checkpoint").exists());
    drop(held);

    let outcome = run(&arguments);
    assert!(outcome.failure(1).contains("of an unfinished run; continue with --resume"));
    let other = run(&[&arguments[..], &["--resume", "--dimensions", "2"]].concat());
    let dimensions = dimensions().to_string();
    assert!(
        other.failure(1).contains(&format!(
            "started with --dimensions {dimensions}, not --dimensions 2; repeat"
        ))
    );
    fs::write(&input, with_a_bad_line(9_000).replace("note", "nota")).unwrap();
    let other = run(&[&arguments[..], &["--resume"]].concat());
    assert!(other.failure(1).contains("the input is not the one"), "{}", other.stderr);
    fs::write(&input, with_a_bad_line(8_000)).unwrap();
    let resumed = run(&[&arguments[..], &["--resume"]].concat());
    assert!(resumed.stderr.contains("note: resuming after "), "{}", resumed.stderr);
    assert_eq!(resumed.code, Some(3), "{}", resumed.stderr);
    let skipped = "error: 1 record was skipped before this run was resumed\n";
    assert!(resumed.stderr.ends_with(skipped), "{}", resumed.stderr);
    assert_eq!(
        fs::metadata(&output).unwrap().len() as usize,
        8_000 * 4 * super::support::dimensions()
    );
    let again = run(&[&arguments[..], &["--resume"]].concat());
    assert!(again.stderr.contains("nothing to resume"), "{}", again.stderr);
    again.good();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_line_and_nothing_is_lost() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("batch-full");
    let input = folder.write("in.jsonl", table(600).0.as_bytes());
    let output = folder.argument("out.raw");
    // A limit on the length of files stands for the disk.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 100; exec {} batch --input {input} --output {output}",
        env!("CARGO_BIN_EXE_monomorph")
    );
    let outcome = Outcome::from(
        std::process::Command::new("sh").args(["-c", &limited]).output().expect("a shell"),
    );
    assert!(outcome.failure(1).starts_with(&format!("cannot write {output}: ")));
    let resumed = run(&["batch", "--input", &input, "--output", &output, "--resume"]);
    resumed.good();
    assert_eq!(fs::metadata(&output).unwrap().len() as usize, 600 * 4 * dimensions());

    let outcome = run(&["batch", "--input", &input, "--output", "/dev/full", "--format", "csv"]);
    assert!(outcome.failure(1).starts_with("cannot write /dev/full: "), "{}", outcome.stderr);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = command(&["batch", "--input", &input, "--output", "-", "--format", "raw"]);
    command.stdout(full);
    assert!(Outcome::of(command).failure(1).starts_with("cannot write standard output: "));
}

#[test]
fn progress_is_for_people_or_machines() {
    let folder = Folder::new("batch-progress");
    let input = folder.write("in.jsonl", table(10).0.as_bytes());
    let output = folder.argument("out.raw");
    let batch =
        |how| run(&["batch", "--input", &input, "--output", &output, "--progress", how]).stderr;
    let last = |stderr: &str| stderr.lines().last().unwrap_or_default().to_owned();
    assert!(last(&batch("auto")).starts_with("10 texts, "));
    let json: serde_json::Value = serde_json::from_str(&last(&batch("json"))).unwrap();
    assert_eq!([&json["texts"], &json["done"]], [&json!(10), &json!(true)]);
    assert!(!batch("none").contains("texts, "));
}

#[test]
fn odd_files_are_read_or_refused() {
    let folder = Folder::new("batch-odd");
    let output = folder.argument("out.raw");
    let batch = |name: &str, bytes: &[u8]| {
        let input = folder.write(name, bytes);
        run(&["batch", "--input", &input, "--output", &output, "--restart"])
    };
    let utf16 = b"\xFF\xFE{\0\"\0";
    for name in ["in.jsonl", "in.csv", "in.tsv", "in.txt"] {
        let outcome = batch(name, utf16);
        assert!(outcome.failure(1).contains("UTF-16"), "{name}: {}", outcome.stderr);
    }
    for name in ["in.parquet", "in.arrow"] {
        let outcome = batch(name, b"not a table at all, but longer than a footer");
        assert_eq!(outcome.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1);
    }
    batch("in.jsonl", b"").good();
    assert_eq!(raw(&output), b"");
    batch("in.txt", b"a\0b\r\n\r\n").good();
    assert_eq!(raw(&output).len(), 2 * 4 * dimensions());
    let long = json!({ "text": "ten megabytes ".repeat(750_000) }).to_string();
    let outcome = batch("in.jsonl", long.as_bytes());
    assert!(outcome.stderr.contains("line 1: cut to "), "{}", outcome.stderr);
    assert_eq!(raw(&output).len(), 4 * dimensions());
    let missing = folder.argument("missing.jsonl");
    let outcome = run(&["batch", "--input", &missing, "--output", &output]);
    assert!(outcome.failure(1).starts_with(&format!("cannot read {missing}: ")));
}
