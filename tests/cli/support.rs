//! Running the binary, and a folder for its files.

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::sync::Once;
use std::thread;

use serde_json::Value;

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// The binary with these arguments, free of the caller's MODEL_GGUF.
pub fn command(arguments: &[&str]) -> Command {
    must_have_a_chosen_model();
    let mut command = Command::new(env!("CARGO_BIN_EXE_monomorph"));
    command.args(arguments).env_remove("MODEL_GGUF").stdin(Stdio::null());
    command
}

/// Ends the run with one line where the build has the default model: many of these tests are about the tiny one, its
/// prompts and its answers word for word.
fn must_have_a_chosen_model() {
    static ONCE: Once = Once::new();
    if monomorph::built::IS_DEFAULT_MODEL {
        ONCE.call_once(|| {
            let line = "these tests need the tiny model: MODEL_GGUF=testdata/tiny.gguf cargo test --release";
            let _ = writeln!(stderr(), "\nerror: {line}");
            exit(1)
        });
    }
}

/// A program that takes signals as by default, whatever this process ignores: scripts start what runs beside them with
/// SIGINT ignored, and that is inherited.
#[cfg(unix)]
pub fn signalled(program: &str) -> Command {
    match cfg!(target_os = "linux") {
        true => {
            let mut command = Command::new("env");
            command.args(["--default-signal=HUP,INT,TERM", program]);
            command
        }
        false => Command::new(program),
    }
}

/// The same as [`command`], but it takes signals as by default.
#[cfg(unix)]
pub fn interruptible(arguments: &[&str]) -> Command {
    let mut command = signalled(env!("CARGO_BIN_EXE_monomorph"));
    command.args(arguments).env_remove("MODEL_GGUF").stdin(Stdio::null());
    command
}

/// Runs the binary with nothing on standard input.
pub fn run(arguments: &[&str]) -> Outcome {
    Outcome::of(command(arguments))
}

/// Runs the binary with these bytes on standard input.
pub fn run_with_input(arguments: &[&str], input: &[u8]) -> Outcome {
    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // The child may end before it has read everything; its exit code is what the test looks at.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("the writer ends");
    Outcome::from(output)
}

impl Outcome {
    pub fn of(mut command: Command) -> Outcome {
        Outcome::from(command.output().expect("the binary starts"))
    }

    /// Standard output of a run that must have ended well.
    pub fn good(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The same as text.
    pub fn text(self) -> String {
        String::from_utf8(self.good()).expect("UTF-8 on standard output")
    }

    /// The same as one JSON object a line.
    pub fn json_lines(self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The one line that a failed run must have said, without its label. Notes and warnings do not count.
    pub fn failure(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let plain = |line: &&str| !line.starts_with("note: ") && !line.starts_with("warning: ");
        let lines: Vec<&str> = self.stderr.lines().filter(plain).collect();
        assert_eq!(lines.len(), 1, "one line expected: {}", self.stderr);
        lines[0].strip_prefix("error: ").expect(lines[0])
    }
}

impl From<std::process::Output> for Outcome {
    fn from(output: std::process::Output) -> Outcome {
        let stderr = String::from_utf8(output.stderr).expect("UTF-8 on standard error");
        assert!(!stderr.contains("panicked"), "{stderr}");
        Outcome { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

/// The path of a file in testdata/cases, whose README says where they come from.
pub fn case(name: &str) -> String {
    format!("{}/testdata/cases/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An answer's vector.
pub fn vector(values: &Value) -> Vec<f32> {
    values
        .as_array()
        .expect("an array")
        .iter()
        .map(|value| value.as_f64().expect("a number") as f32)
        .collect()
}

/// The vectors of a jsonl answer.
pub fn vectors(lines: &[Value]) -> Vec<Vec<f32>> {
    lines.iter().map(|line| vector(&line["embedding"])).collect()
}

/// Dimensions of the built model's vectors.
pub fn dimensions() -> usize {
    monomorph::built::SPEC.n_out
}

/// A text that is certainly longer than the built model's window.
pub fn long_text() -> String {
    "long words, ".repeat(monomorph::built::SPEC.n_ctx * 2)
}

/// Whether to leave out a test that would take long on a real model; the tiny one's build runs it.
pub fn skip_on_large_model() -> bool {
    const LARGE_BYTES: u64 = 16 << 20;
    let large =
        fs::metadata(monomorph::built::SOURCE).expect("the model of the build").len() > LARGE_BYTES;
    if large {
        println!(
            "SKIPPED: takes long on a model of this size; the tiny model's build runs this test"
        );
    }
    large
}

/// A folder that goes away with its value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path as an argument.
    pub fn argument(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().expect("a path in UTF-8")
    }

    /// Writes a file and gives its path as an argument.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).expect("a file for the test");
        self.argument(name)
    }

    /// Names of everything in the folder, in order.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
