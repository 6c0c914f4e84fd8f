//! What a build makes of the file that MODEL_GGUF names: code, or one line that says why not.
//!
//! Most tests call the library behind the build script. The script itself runs under cargo, but only with
//! MONOMORPH_BUILD_TESTS=1, because that compiles the whole package again for another model.

use monomorph::built::{IS_DEFAULT_MODEL, SPEC};
use monomorph_codegen::{Generated, options};
use monomorph_spec::{BuildOptions, Pooling};
use monomorph_testing::tiny::Variant;
use monomorph_testing::{mutate, tiny as tiny_model};
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn a_model_becomes_three_files() {
    let model = tiny();
    let generated = Generated::from_file(&model, BuildOptions::default()).expect("the tiny model");
    let out = folder("files");
    generated.write(&out).expect("a folder to write into");
    let read = |name: &str| fs::read(out.join(name)).expect(name);
    assert_eq!(read("model.rs"), generated.source.as_bytes());
    assert_eq!(read("vocabulary.bin"), generated.vocabulary);
    assert_eq!(read("rope.bin"), generated.rope);
    assert_eq!(fs::read_dir(&out).expect("the folder").count(), 3);
    assert!(generated.spec.notes.is_empty(), "{:?}", generated.spec.notes);
}

/// The choices in a build's environment reach the code.
#[test]
fn choices_reach_the_code() {
    let choices = options::parse(Some("last"), Some("100")).expect("choices");
    let generated = Generated::from_file(&tiny(), choices).expect("the tiny model");
    let by_default =
        Generated::from_file(&tiny(), BuildOptions::default()).expect("the tiny model");
    for line in [
        "pooling: Some(Pooling::Last)",
        "n_ctx: Some(100)",
        "pooling: Pooling::Last",
        "n_ctx: 100,",
    ] {
        assert!(generated.source.contains(line) && !by_default.source.contains(line), "{line}");
    }
    assert_eq!(generated.rope.len() * 256, by_default.rope.len() * 100);
    let too_long = options::parse(None, Some("257")).expect("a choice");
    let error = Generated::from_file(&tiny(), too_long).err().expect("a refusal").to_string();
    assert!(
        error.contains("MONOMORPH_CONTEXT is 257;") && error.contains("at most 256 tokens"),
        "{error}"
    );
}

/// For a language model, the build says how it pools and how much of the context it leaves out.
#[test]
fn a_language_model_warns() {
    let options = tiny_model::Options { variant: Variant::LanguageModel, ..Default::default() };
    let mut model = tiny_model::writer(options);
    model.set("gemma3.context_length", 32_768);
    let path = folder("language model").join("model.gguf");
    fs::write(&path, model.to_bytes()).expect("a file for the test");
    let warnings = |pooling, context| {
        let choices = options::parse(pooling, context).expect("choices");
        Generated::from_file(&path, choices).expect("a model").spec.notes.to_vec()
    };
    let found = warnings(None, None);
    assert!(
        found[0].contains("mean pooling; set MONOMORPH_POOLING to mean, last or max"),
        "{found:?}"
    );
    assert!(found[1].contains("cut to 8192") && found[1].contains("32768"), "{found:?}");
    let found = warnings(Some("last"), Some("4096"));
    assert!(found.len() == 1 && found[0].ends_with("last pooling"), "{found:?}");
}

/// Whatever the file says about pooling, the build's choice applies, to the vocabulary as well as to the code.
#[test]
fn a_chosen_pooling_builds_whatever_the_file_says() {
    let options = tiny_model::Options { variant: Variant::LanguageModel, ..Default::default() };
    let path = folder("chosen pooling").join("model.gguf");
    let last = options::parse(Some("last"), None).expect("a choice");
    for stated in [None, Some(0), Some(1), Some(2), Some(3)] {
        let mut model = tiny_model::writer(options);
        if let Some(stated) = stated {
            model.set("gemma3.pooling_type", stated);
        }
        fs::write(&path, model.to_bytes()).expect("a file for the test");
        let generated = Generated::from_file(&path, last);
        let generated = generated.unwrap_or_else(|error| panic!("{stated:?}: {error}"));
        assert_eq!(generated.spec.pooling, Pooling::Last);
        assert!(generated.source.contains("pooling: Pooling::Last"), "{stated:?}");
        assert!(!generated.vocabulary.is_empty());
    }
}

/// No path of the model or of the build gets into the code, so that builds can be reproduced elsewhere.
#[test]
fn a_path_with_a_space_gives_the_same_code() {
    let spaced = copy_of_tiny("a b");
    let [here, there] = [&tiny(), &spaced]
        .map(|path| Generated::from_file(path, BuildOptions::default()).expect("the tiny model"));
    let lines = |source: &str| source.lines().skip(1).map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(lines(&here.source), lines(&there.source));
    assert_eq!(
        there.source.lines().next(),
        Some("// @generated by monomorph-codegen from model.gguf. Do not edit.")
    );
    assert!(here.vocabulary == there.vocabulary && here.rope == there.rope);
}

#[test]
fn what_is_no_file_is_named() {
    let folder = folder("no file");
    let missing = folder.join("missing.gguf");
    assert_eq!(
        refusal(&missing),
        format!("cannot read {}: No such file or directory (os error 2)", missing.display())
    );
    let directory = format!("{} is a directory; give the path of a GGUF file", folder.display());
    assert_eq!(refusal(&folder), directory);
    #[cfg(unix)]
    assert_eq!(
        refusal(Path::new("/dev/null")),
        "/dev/null is not a regular file; give the path of a GGUF file"
    );
    let below_a_file = tiny().join("model.gguf");
    assert!(
        refusal(&below_a_file).starts_with(&format!("cannot read {}: ", below_a_file.display()))
    );
}

#[test]
fn what_is_no_model_is_explained() {
    let path = folder("no model").join("model.gguf");
    let with = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("a file for the test");
        refusal(&path)
    };
    assert_eq!(
        with(b"Hello world\n"),
        "not a GGUF file: it begins with \"Hell\" instead of \"GGUF\""
    );
    assert!(with(b"").contains("the file ends inside the magic number"));
    let mut damaged = fs::read(tiny()).expect("the tiny model");
    let key = b"gemma-embedding.block_count";
    let at = damaged.windows(key.len()).position(|bytes| bytes == key).expect("the key");
    damaged[at + key.len() - 1] = b'x';
    assert!(with(&damaged).contains("gemma-embedding.block_count"));
}

/// Cut in the header, at its end or in the tensors: a build needs a whole file, not only a whole header.
#[test]
fn a_truncated_model_is_refused() {
    let whole = fs::read(tiny()).expect("the tiny model");
    let path = folder("truncated").join("model.gguf");
    let by_length = |len: usize| {
        fs::write(&path, &whole[..len]).expect("a file for the test");
        refusal(&path)
    };
    for len in [4, 20, 1000] {
        let reason = by_length(len);
        assert!(
            reason.contains("ends inside") || reason.contains("fit in the rest"),
            "{len}: {reason}"
        );
    }
    for len in [30_000, whole.len() / 2, whole.len() - 33] {
        let reason = by_length(len);
        assert!(reason.starts_with("tensor "), "{len}: {reason}");
    }
}

/// Builds as users do, with `MODEL_GGUF=... cargo build`, except that `cargo check` runs, in the same target folder.
#[test]
fn cargo_builds_or_says_why_not() {
    if std::env::var_os("MONOMORPH_BUILD_TESTS").is_none_or(|value| value != "1") {
        say("SKIPPED builds by cargo: they take a minute; set MONOMORPH_BUILD_TESTS=1 to run them");
        return;
    }
    say("building for other models with cargo");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));

    // Relative paths start at the package's root.
    let missing = root.join("no such folder/model.gguf");
    let line = build_error("no such folder/model.gguf".as_ref());
    assert!(
        line.contains(&format!("MODEL_GGUF: cannot read {}: No such file", missing.display())),
        "{line}"
    );

    let broken = folder("broken").join("model.gguf");
    fs::write(&broken, "<html>Access denied</html>").expect("a file for the test");
    let line = build_error(&broken);
    assert!(
        line.contains(&format!("{}", broken.display())) && line.contains("not a GGUF file"),
        "{line}"
    );

    // A few of the damaged copies that tests/cli/mutated.rs gives to the library, one of each kind.
    let header = fs::read(root.join("testdata/headers/embeddinggemma-300m-Q8_0.header.gguf"));
    let damaged = folder("damaged").join("model.gguf");
    for mutant in mutate::mutants(&header.expect("the header"), 8) {
        mutant.write(&damaged);
        if let Err(error) = Generated::from_file(&damaged, BuildOptions::default()) {
            let line = build_error(&damaged);
            assert!(line.ends_with(&error.to_string()), "{}: {line}", mutant.what);
        }
    }

    let line = build_error_of(build(&tiny(), "median"));
    assert!(
        line.contains("MONOMORPH_POOLING is \"median\"; expected mean, cls, last or max"),
        "{line}"
    );

    let line = build_error_of(check(&tiny(), &[(options::EMBED, "yes")]));
    assert!(line.contains("MONOMORPH_EMBED is \"yes\"; expected 1"), "{line}");

    let good = build(&copy_of_tiny("check a b"), "last");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
}

/// A binary with its weights inside needs no other file and nothing from its environment, and gives the same bits as
/// one that opens a file.
#[test]
fn one_file_is_all_there_is() {
    if std::env::var_os("MONOMORPH_BUILD_TESTS").is_none_or(|value| value != "1") {
        say(
            "SKIPPED a build with its weights inside: it takes minutes; set MONOMORPH_BUILD_TESTS=1",
        );
        return;
    }
    if !IS_DEFAULT_MODEL {
        return say(
            "NOT TESTED: this compares with the tiny model's binary, and this build has another model",
        );
    }
    say("building a binary with its weights inside");
    // A separate target folder, because the binary that later tests run must not change.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("one file");
    let model = copy_of_tiny("moved");
    let build = ["build", "--bin", "monomorph", "--no-default-features", "--features", "cli"];
    let built = cargo(&build, &target, &model, &[(options::EMBED, "1")]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::remove_file(&model).expect("the model can be removed");

    let folder = folder("nothing else");
    let binary = folder.join("one");
    fs::copy(target.join("debug").join(format!("monomorph{EXE_SUFFIX}")), &binary).expect("a copy");
    let read_only = |yes: bool| {
        let mut permissions = fs::metadata(&folder).expect("the folder").permissions();
        permissions.set_readonly(yes);
        fs::set_permissions(&folder, permissions).expect("the folder's permissions");
    };
    read_only(true);
    let one = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        let output = command.args(arguments).current_dir(&folder).env_clear().output();
        let output = output.expect("the binary starts");
        let messages = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), output.stdout, messages)
    };
    let embed = ["embed", "--format", "raw", "Mars is red.", "", "Venus is hot, and Mars is not."];
    let (code, vectors, messages) = one(&embed);
    assert_eq!(code, Some(0), "{messages}");
    let mut from_file = Command::new(env!("CARGO_BIN_EXE_monomorph"));
    let from_file = from_file.args(embed).arg("--model").arg(tiny()).output().expect("it starts");
    assert!(from_file.status.success());
    assert!(vectors.len() == 3 * 4 * 128 && vectors == from_file.stdout, "the bits differ");

    let (code, own, _) = one(&["inspect", "--self"]);
    let own = String::from_utf8(own).expect("UTF-8");
    assert!(code == Some(0) && own.contains("no file is needed"), "{own}");
    let (code, _, messages) = one(&["verify"]);
    assert!(code == Some(0) && messages.contains("inside this binary"), "{messages}");
    // Change one byte of the token table.
    let mut bytes = fs::read(&binary).expect("the binary");
    let table =
        &fs::read(tiny()).expect("the model")[SPEC.embedding.tokens.offset as usize..][..64];
    let at = bytes.windows(table.len()).position(|part| part == table).expect("the table inside");
    bytes[at] ^= 1;
    let damaged = crate::folder("damaged binary").join("one");
    fs::copy(&binary, &damaged).expect("a copy");
    fs::write(&damaged, bytes).expect("the copy is writable");
    let output = Command::new(&damaged).arg("verify").output().expect("the binary starts");
    let messages = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.code() == Some(1) && messages.contains("is damaged"), "{messages}");
    // If a file is named, it is opened, through the gate.
    let (code, _, messages) = one(&["embed", "--model", "missing.gguf", "text"]);
    assert!(code == Some(1) && messages.contains("cannot open model missing.gguf"), "{messages}");
    read_only(false);
}

/// The one line that a failing build must show.
fn build_error(model: &Path) -> String {
    build_error_of(build(model, ""))
}

fn build_error_of(output: Output) -> String {
    let text = String::from_utf8(output.stderr).expect("UTF-8 from cargo");
    assert!(!output.status.success(), "built: {text}");
    assert!(!text.contains("panicked"), "{text}");
    // Cargo itself closes with "build script logged errors".
    let lines: Vec<&str> =
        text.lines().filter(|line| line.starts_with("error: monomorph@")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    lines[0].to_owned()
}

/// `cargo check` for a model with this pooling.
fn build(model: &Path, pooling: &str) -> Output {
    check(model, &[(options::POOLING, pooling)])
}

/// `cargo check` for a model with these variables.
fn check(model: &Path, variables: &[(&str, &str)]) -> Output {
    // Cargo's folder for tests lies directly in the target folder.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    cargo(&["check", "--lib"], target, model, variables)
}

fn cargo(arguments: &[&str], target: &Path, model: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked", "--color", "never", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("MODEL_GGUF", model)
        .env_remove(options::EMBED)
        .envs(variables.iter().copied())
        .output()
        .expect("cargo starts")
}

/// Why a build refuses a file, on one line.
fn refusal(path: &Path) -> String {
    let error = Generated::from_file(path, BuildOptions::default())
        .err()
        .expect("the file is refused")
        .to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tiny.gguf")
}

/// A copy of the tiny model, as model.gguf in a folder of this name.
fn copy_of_tiny(name: &str) -> PathBuf {
    let copy = folder(name).join("model.gguf");
    fs::copy(tiny(), &copy).expect("a copy");
    copy
}

/// An empty folder under cargo's folder for tests.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("build contract").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder for the test");
    path
}

/// Prints where the test harness does not capture it.
fn say(line: &str) {
    writeln!(stderr(), "{line}").expect("stderr");
}
