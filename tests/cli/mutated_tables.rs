//! Damaged copies of small tables of every format, given to `batch` and `search`: each is read, or refused in one line,
//! in little memory. MONOMORPH_MUTANTS=500 tries more of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use monomorph_testing::Random;

use super::support::*;

/// Copies of each format.
const COPIES: usize = 40;

/// Far above what any copy takes.
const LIMIT: Duration = Duration::from_secs(20);

const TEXTS: &[(&str, &[u8])] = &[
    ("csv", b"id,text,n\n1,\"one, \"\"two\"\"\",5\n2,two,6\n3,\"over\nlines\",\n"),
    ("tsv", b"id\ttext\n1\tone\n2\t\"two\"\n3\tthree\n"),
    (
        "jsonl",
        b"{\"id\":1,\"text\":\"one \\ud83d\\ude00\",\"x\":[1,{\"a\":\"b\"}]}\n{\"text\":\"two\"}\n",
    ),
    ("jsonl", b"{\"id\":1,\"embedding\":[0.5,1.0,2.5]}\n{\"id\":2,\"embedding\":null}\n"),
    ("json", b"[{\"id\":1,\"text\":\"one\",\"x\":{\"a\":[]}},\n {\"text\":\"two\"}]\n"),
];

/// The seeds of a format: tables of text, and the files of testdata/cases.
fn seeds(extension: &str) -> Vec<Vec<u8>> {
    let texts = TEXTS.iter().filter(|(format, _)| *format == extension);
    let mut seeds: Vec<Vec<u8>> = texts.map(|(_, bytes)| bytes.to_vec()).collect();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cases");
    let mut paths: Vec<_> =
        fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    // This one unpacks to more than two gibibytes on purpose.
    let is_seed = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|found| found == extension)
            && !path.to_string_lossy().contains("over_2_gib")
    };
    seeds.extend(paths.iter().filter(is_seed).map(|path| fs::read(path).unwrap()));
    seeds
}

/// A copy with a few damages: bits, bytes that mean something, lengths, holes and repetitions.
fn damaged(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..[1, 1, 1, 2, 4, 16][random.below(6)] {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        let at = random.below(length);
        let end = (at + 1 + random.below(32)).min(length);
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 255, 127, b'"', b',', b'\n', b'\\', b'{', b'['][random.below(9)],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let word = [i64::MAX, 1 << 31, -1, 1 << 40, 0][random.below(5)].to_le_bytes();
                let end = (at + 8).min(length);
                bytes[at..end].copy_from_slice(&word[..end - at]);
            }
            5 => drop(bytes.splice(at..at, (0..8).map(|i| (i * 37 + at) as u8))),
            _ => bytes.extend_from_within(at..end),
        }
    }
    bytes
}

/// Runs the binary with no more than 512 MiB of its own.
fn limited(arguments: &[&str]) -> Outcome {
    let binary = env!("CARGO_BIN_EXE_monomorph");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -d 524288 2>/dev/null; exec \"$0\" \"$@\"", binary]).args(arguments);
    shell.env_remove("MODEL_GGUF").stdin(std::process::Stdio::null());
    Outcome::from(shell.output().expect("a shell"))
}

fn end_in_one_line(extension: &str) {
    if skip_on_large_model() {
        return;
    }
    let copies =
        std::env::var("MONOMORPH_MUTANTS").map_or(COPIES, |n| n.parse().expect("a number"));
    let folder = Folder::new(&format!("mutated-{extension}"));
    let (seeds, output) = (seeds(extension), folder.argument("out.npy"));
    let kept = folder.argument("out.parquet");
    let (mut read, mut refused) = (0, 0);
    for copy in 0..copies {
        let mut random = Random(copy as u64);
        let seed = &seeds[copy % seeds.len()];
        let input = folder.write(&format!("in.{extension}"), &damaged(seed, &mut random));
        let batch = |output| {
            let fixed = ["batch", "--input", &input, "--output", output, "--restart"];
            limited(&[&fixed[..], &["--keep-going", "--threads", "1"]].concat())
        };
        let mut outcomes = Vec::new();
        let begin = Instant::now();
        match copy % 3 {
            _ if extension == "npy" || copy % 3 == 1 => {
                outcomes.push(limited(&["search", "a", "--in", &input, "--threads", "1"]))
            }
            0 if cfg!(feature = "parquet") => outcomes.push(batch(&kept)),
            _ => outcomes.push(batch(&output)),
        }
        assert!(begin.elapsed() < LIMIT, "copy {copy} took {:?}", begin.elapsed());
        for outcome in outcomes {
            match outcome.code {
                Some(0) => read += 1,
                Some(1..=3) => {
                    refused += 1;
                    let lines = outcome.stderr.lines().filter(|line| line.starts_with("error: "));
                    let lines: Vec<&str> = lines.collect();
                    let is_clear =
                        |line: &&str| line.len() < 2300 && !line.contains(char::is_control);
                    assert!(
                        lines.len() == 1 && lines.iter().all(is_clear),
                        "copy {copy}: {lines:?}"
                    );
                }
                _ => panic!("copy {copy}: {:?}, {}", outcome.code, outcome.stderr),
            }
        }
    }
    println!("{copies} copies of {extension}: {read} read, {refused} refused");
    assert!(read > 0 && refused > 0);
}

#[test]
fn damaged_tables_of_text_end_in_one_line() {
    ["csv", "tsv", "jsonl", "json"].into_iter().for_each(end_in_one_line);
}

#[test]
fn damaged_vectors_end_in_one_line() {
    end_in_one_line("npy");
}

#[cfg(feature = "parquet")]
#[test]
fn damaged_parquet_ends_in_one_line() {
    end_in_one_line("parquet");
}

#[cfg(feature = "parquet")]
#[test]
fn damaged_arrow_ends_in_one_line() {
    end_in_one_line("arrow");
}
