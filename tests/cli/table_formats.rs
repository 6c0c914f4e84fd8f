//! The format of an input is what its content says, and where that is doubtful, an error that names the option.

use super::support::*;

fn embedded(texts: &[&str]) -> Vec<Vec<f32>> {
    vectors(&run(&[&["embed"], texts].concat()).json_lines())
}

/// Names that data sets give their files, and pipes, which have none.
#[test]
fn jsonl_is_read_whatever_its_name() {
    let folder = Folder::new("formats-jsonl");
    let expected = embedded(&["one", "two"]);
    let train = case("train.json");
    let bytes = std::fs::read(&train).unwrap();
    for name in ["train.json", "train.txt", "train", "train.data"] {
        let input = folder.write(name, &bytes);
        assert_eq!(vectors(&run(&["embed", "--input", &input]).json_lines()), expected, "{name}");
        let batch = ["batch", "--input", &input, "--output", "-", "--format", "jsonl"];
        assert_eq!(vectors(&run(&batch).json_lines()), expected, "{name}");
    }
    for command in [&["embed"][..], &["embed", "--input", "-"]] {
        assert_eq!(vectors(&run_with_input(command, &bytes).json_lines()), expected);
    }
    let batch = ["batch", "--input", "-", "--output", "-", "--format", "jsonl"];
    assert_eq!(vectors(&run_with_input(&batch, &bytes).json_lines()), expected);
    let as_lines = ["embed", "--input", &train, "--input-format", "lines"];
    assert_ne!(vectors(&run(&as_lines).json_lines()), expected);
}

#[test]
fn tables_in_pipes_are_no_prose() {
    let folder = Folder::new("formats-pipes");
    let csv = b"id,text\n1,one\n2,two\n";
    let tsv = b"1\tone\n2\ttwo\n3\tthree\n";
    let other = b"question,answer\na,b\nc,d\n";
    for bytes in [&csv[..], tsv, other] {
        for arguments in [
            &["embed"][..],
            &["tokenize"],
            &["batch", "--input", "-", "--output", "-", "--format", "csv"],
            &["embed", "--input", &folder.write("in.txt", bytes)],
        ] {
            let outcome = run_with_input(arguments, bytes);
            let how = match arguments[0] {
                "batch" => "sv or lines",
                _ => "monomorph batch reads tables, and --input-format lines takes each",
            };
            assert!(outcome.failure(2).contains(how), "{}", outcome.stderr);
            assert!(outcome.stdout.is_empty());
        }
        let lines = run_with_input(&["embed", "--input-format", "lines"], bytes).json_lines();
        assert_eq!(lines.len(), bytes.iter().filter(|byte| **byte == b'\n').count());
    }
    let named = ["batch", "--input", "-", "--output", "-", "--format", "jsonl", "--input-format"];
    let lines = run_with_input(&[&named[..], &["csv"]].concat(), csv).json_lines();
    assert_eq!(vectors(&lines), embedded(&["one", "two"]));
    // Prose with commas is prose.
    let prose = b"Mars, the red one.\nVenus, the hot one.\nSaturn, with its rings.\n";
    assert_eq!(run_with_input(&["embed"], prose).json_lines().len(), 3);
}

#[test]
fn files_that_are_no_tables_are_named() {
    let folder = Folder::new("formats-others");
    for (bytes, code, message) in [
        (&b"\x93NUMPY\x01\0v\0"[..], 1, "is a NumPy array"),
        (b"GGUF\x03\0\0\0", 1, "is a GGUF model"),
        (b"PK\x03\x04\x14\0\0\0", 1, "is a zip archive or a spreadsheet"),
        (b"BZh91AY&SY\0\0", 1, "compressed with bzip2"),
        (b"\xFD7zXZ\0\0", 1, "compressed with xz"),
        (b"SQLite format 3\0", 1, "an SQLite database"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", 1, "git lfs pull"),
        (b"<!DOCTYPE html>\n<html>", 1, "is a web page"),
        (b"\xFE\xFF\0{", 1, "UTF-16"),
        (b"[\"one\", \"two\"]\n", 2, "looks like json"),
    ] {
        for name in ["in.txt", "in"] {
            let input = folder.write(name, bytes);
            for command in [&["embed"][..], &["batch", "--output", "-", "--format", "csv"]] {
                let outcome = run(&[command, &["--input", &input]].concat());
                assert!(outcome.failure(code).contains(message), "{}", outcome.stderr);
            }
        }
    }
    let outcome = run(&["embed", "--input", &folder.argument("")]);
    assert!(outcome.failure(1).contains("it is a folder; give one of its files"));
}

#[cfg(feature = "parquet")]
#[test]
fn packed_files_are_read() {
    use std::io::Write;

    let folder = Folder::new("formats-packed");
    let packed = case("packed.jsonl.gz");
    let expected = run(&["embed", "--input", &packed, "--format", "raw"]).good();
    let count = expected.len() / dimensions() / 4;
    assert_eq!(count, 3);
    let bytes = std::fs::read(&packed).unwrap();
    let text: Vec<u8> =
        run(&["batch", "--input", &packed, "--output", "-", "--format", "raw"]).good();
    assert_eq!(text, expected);
    assert_eq!(run_with_input(&["embed", "--format", "raw"], &bytes).good(), expected);
    // One after another, as `cat` puts them, and in parts.
    let twice = folder.write("twice.jsonl.gz", &[&bytes[..], &bytes].concat());
    let both = run(&["embed", "--input", &twice, "--format", "raw"]).good();
    assert_eq!(both, [&expected[..], &expected].concat());

    let csv = b"id,text\n1,one\n2,two\n";
    let zstd = folder.write("in.csv.zst", &zstd::encode_all(&csv[..], 3).unwrap());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(csv).unwrap();
    let gzip = folder.write("in.csv.gz", &gzip.finish().unwrap());
    for input in [&zstd, &gzip] {
        let batch = ["batch", "--input", input, "--output", "-", "--format", "jsonl"];
        let both = [0, 1].map(|part| {
            let shard = format!("{part}/2");
            run(&[&batch[..], &["--shard", &shard]].concat()).json_lines().remove(0)
        });
        assert_eq!(vectors(&both), embedded(&["one", "two"]));
        assert_eq!([&both[0]["id"], &both[1]["id"]], ["1", "2"]);
        assert!(
            run(&["embed", "--input", input]).failure(2).contains("monomorph batch reads tables")
        );
    }
    let cut = folder.write("cut.jsonl.gz", &bytes[..bytes.len() - 12]);
    let outcome = run(&["embed", "--input", &cut]);
    assert!(outcome.failure(1).starts_with(&format!("cannot read {cut}: ")), "{}", outcome.stderr);
}
