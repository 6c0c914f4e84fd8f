//! Every format holds the same vectors.

use std::fs;

use super::support::*;

const TEXTS: [&str; 3] = ["one", "two words", ""];

/// What jsonl says; the other formats are compared with it.
fn expected() -> Vec<Vec<f32>> {
    vectors(&run(&[&["embed"][..], &TEXTS].concat()).json_lines())
}

fn embed(format: &str) -> Outcome {
    run(&[&["embed", "--format", format][..], &TEXTS].concat())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    values.iter().map(|value| f32::from_le_bytes(*value)).collect()
}

#[test]
fn json_is_the_list_of_openai() {
    let lines = embed("json").json_lines();
    let [answer] = &lines[..] else { panic!("one object expected") };
    assert_eq!(answer["object"], "list");
    assert_eq!(answer["model"], monomorph::built::NAME);
    for (i, (item, expected)) in
        answer["data"].as_array().unwrap().iter().zip(expected()).enumerate()
    {
        assert_eq!(item["object"], "embedding");
        assert_eq!(item["index"], i);
        assert_eq!(vector(&item["embedding"]), expected);
    }
    let tokens: u64 =
        embed("jsonl").json_lines().iter().map(|line| line["tokens"].as_u64().unwrap()).sum();
    assert_eq!(answer["usage"]["prompt_tokens"], tokens);
    assert_eq!(answer["usage"]["total_tokens"], tokens);
}

#[test]
fn csv_and_tsv_have_an_id_and_a_column_a_value() {
    for (format, delimiter) in [("csv", b','), ("tsv", b'\t')] {
        let bytes = embed(format).good();
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(&bytes[..]);
        let header = reader.headers().unwrap().clone();
        assert_eq!(header.len(), 1 + dimensions());
        assert_eq!(
            (&header[0], &header[1], &header[dimensions()]),
            ("id", "v0", &*format!("v{}", dimensions() - 1))
        );
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let values = |row: &csv::StringRecord| {
            row.iter().skip(1).map(|value| value.parse().unwrap()).collect()
        };
        assert_eq!(rows.iter().map(values).collect::<Vec<Vec<f32>>>(), expected());
        assert_eq!(rows.iter().map(|row| &row[0]).collect::<Vec<_>>(), ["0", "1", "2"]);
    }
}

#[test]
fn csv_quotes_ids() {
    let folder = Folder::new("csv");
    let input = folder.write(
        "in.jsonl",
        b"{\"text\":\"one\",\"id\":\"a,\\\"b\\\"\\n\"}\n{\"text\":\"two\",\"id\":-7}\n",
    );
    let bytes = run(&["embed", "--input", &input, "--format", "csv"]).good();
    let ids: Vec<String> = csv::Reader::from_reader(&bytes[..])
        .records()
        .map(|row| row.unwrap()[0].to_owned())
        .collect();
    assert_eq!(ids, ["a,\"b\"\n", "-7"]);
}

#[test]
fn raw_is_little_endian_float32() {
    assert_eq!(floats(&embed("raw").good()), expected().concat());
}

#[test]
fn npy_is_the_same_with_a_header() {
    let folder = Folder::new("npy");
    let path = folder.argument("out.npy");
    assert_eq!(run(&[&["embed", "--output", &path][..], &TEXTS].concat()).good(), b"");
    let file = fs::read(&path).unwrap();
    assert_eq!(file, embed("npy").good(), "a file and a pipe get the same bytes");
    assert_eq!(&file[..10], b"\x93NUMPY\x01\x00\x76\x00");
    let header = std::str::from_utf8(&file[10..128]).unwrap();
    let shape = format!("({}, {})", TEXTS.len(), dimensions());
    assert_eq!(
        header.trim_end(),
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")
    );
    assert!(header.ends_with('\n'));
    assert_eq!(floats(&file[128..]), expected().concat());
}

#[test]
fn npy_of_nothing_has_no_rows() {
    let bytes = run(&["embed", "--format", "npy", "--dimensions", "2"]).good();
    assert_eq!(bytes.len(), 128);
    assert!(String::from_utf8_lossy(&bytes).contains("(0, 2)"));
}

#[test]
fn extension_of_the_output_says_the_format() {
    let folder = Folder::new("extension");
    for format in ["json", "jsonl", "csv", "tsv", "npy", "raw"] {
        let path = folder.argument(&format!("out.{format}"));
        run(&[&["embed", "--output", &path][..], &TEXTS].concat()).good();
        assert_eq!(fs::read(&path).unwrap(), embed(format).good(), "{format}");
    }
    let path = folder.argument("other.dat");
    run(&[&["embed", "--output", &path][..], &TEXTS].concat()).good();
    assert_eq!(fs::read(&path).unwrap(), embed("jsonl").good());
}
