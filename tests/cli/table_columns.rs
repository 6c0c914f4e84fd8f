//! Parquet and Arrow as other programs write them, and the columns that go from any table to a Parquet file.

use std::fs::File;
use std::sync::Arc;

use arrow_array::builder::StringDictionaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, UInt64Type};
use arrow_array::{ArrayRef, BinaryArray, Float64Array, RecordBatch, StringArray};
use arrow_schema::DataType;
use monomorph_testing::Random;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::parquet::read;
use super::support::*;

fn batch(input: &str, more: &[&str]) -> Outcome {
    run(&[&["batch", "--input", input, "--output", "-", "--format", "jsonl"], more].concat())
}

fn embedded(texts: &[&str]) -> Vec<Vec<f32>> {
    vectors(&run(&[&["embed"], texts].concat()).json_lines())
}

/// The columns of the Parquet file that a table becomes.
fn columns_of(folder: &Folder, input: &str) -> RecordBatch {
    let output = folder.argument("out.parquet");
    run(&["batch", "--input", input, "--output", &output, "--restart"]).good();
    read(&output)
}

fn write(folder: &Folder, name: &str, columns: Vec<(&str, ArrayRef)>) -> String {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    );
    let batch = batch.unwrap();
    let file = File::create(folder.path(name)).unwrap();
    if name.ends_with(".parquet") {
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    } else {
        let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
    folder.argument(name)
}

#[test]
fn dictionaries_are_what_they_stand_for() {
    let folder = Folder::new("columns-dictionaries");
    let mut texts = StringDictionaryBuilder::<Int32Type>::new();
    ["two", "one", "two"].iter().for_each(|text| texts.append_value(text));
    let texts: ArrayRef = Arc::new(texts.finish());
    let columns = || vec![("text", texts.clone()), ("id", texts.clone())];
    let parquet = write(&folder, "in.parquet", columns());
    let arrow = write(&folder, "in.arrow", columns());
    for (input, expected) in [
        (case("dictionary.parquet"), &["one", "two", "three"][..]),
        (case("polars_categorical.parquet"), &["one", "two", "three"]),
        (case("dictionary_deltas.arrow"), &["a", "b", "a", "b", "c"]),
        // A dictionary of views, and a schema that only the footer has.
        (case("polars_views.arrow"), &["one", "two", "three"]),
        (parquet.clone(), &["two", "one", "two"]),
        (arrow.clone(), &["two", "one", "two"]),
    ] {
        assert_eq!(vectors(&batch(&input, &[]).json_lines()), embedded(expected), "{input}");
        columns_of(&folder, &input);
    }
    let ids = |input: &str| -> Vec<Value> {
        batch(input, &[]).json_lines().iter().map(|line| line["id"].clone()).collect()
    };
    assert_eq!(ids(&case("ids_dictionary.parquet")), ["a", "b", "c"]);
    for input in [parquet, arrow] {
        assert_eq!(ids(&input), ["two", "one", "two"]);
    }
}

/// Pandas makes floats of integers where one is missing.
#[test]
fn ids_do_not_vanish_without_a_word() {
    let folder = Folder::new("columns-ids");
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one", "two", "three"]));
    let ids: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(4.0)]));
    let halves: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 1.5, 2.5]));
    let input = write(&folder, "in.parquet", vec![("text", texts.clone()), ("id", ids)]);
    let lines = batch(&input, &[]).json_lines();
    let found: Vec<&Value> = lines.iter().map(|line| &line["id"]).collect();
    assert_eq!(found, [&json!(1), &Value::Null, &json!(4)]);
    let input = write(&folder, "halves.arrow", vec![("text", texts), ("id", halves)]);
    let outcome = batch(&input, &[]);
    assert!(outcome.stderr.contains("row 2: its id is 1.5, neither a string nor"));
    assert_eq!(outcome.json_lines().len(), 3);
    assert!(batch(&input, &["--id-column", "id"]).failure(1).contains("row 2: its id is 1.5;"));
}

#[test]
fn texts_may_have_more_than_two_gibibytes() {
    let input = case("texts_over_2_gib.parquet");
    let lines = batch(&input, &["--shard", "549/550"]).json_lines();
    assert_eq!(lines.len(), 2);
    // With all of its columns, too, in row groups of a few texts.
    let folder = Folder::new("columns-large");
    let output = folder.argument("out.parquet");
    run(&["batch", "--input", &input, "--output", &output, "--shard", "549/550"]).good();
    assert_eq!(read(&output).column(0).as_string::<i32>().value(1).len(), 2_099_970);
}

/// Pictures beside a word are as large as they like.
#[cfg(target_os = "linux")]
#[test]
fn only_wanted_columns_are_read() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("columns-wanted");
    let picture = vec![7; 300_000];
    let pictures: Vec<Vec<u8>> = (0..400_u32)
        .map(|i| picture.iter().zip(0_u32..).map(|(x, at)| x ^ (at * (i + 7)) as u8).collect())
        .collect();
    let pictures = BinaryArray::from_iter_values(&pictures);
    let words = StringArray::from(vec!["word"; 400]);
    let input = write(
        &folder,
        "in.parquet",
        vec![("picture", Arc::new(pictures) as ArrayRef), ("text", Arc::new(words))],
    );
    let output = folder.argument("out.npy");
    // A limit on memory, half of the pictures.
    let limited = format!(
        "ulimit -d 60000; exec {} batch --input {input} --output {output} --threads 1",
        env!("CARGO_BIN_EXE_monomorph")
    );
    let outcome = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
    Outcome::from(outcome).good();
}

/// A book in a field is in memory once, whichever the column, and on its way to Parquet, too.
#[cfg(target_os = "linux")]
#[test]
fn values_may_be_books() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("columns-books");
    // It compresses to three quarters only, so its page must not be in memory beside it either.
    let mut random = Random(1);
    let letter = |random: &mut Random| char::from(b';' + random.below(64) as u8);
    let book: String = (0..80_000_000).map(|_| letter(&mut random)).collect();
    let book = book.replace('\\', " ");
    let tables = [
        ("text.csv", format!("id,text\n7,word\n8,\"{book}\"\n9,other\n"), "text"),
        ("beside.csv", format!("id,text,book\n7,a,word\n8,b,\"{book}\"\n9,c,other\n"), "book"),
        ("lines.txt", format!("word\n{book}\nother\n"), "text"),
        (
            "text.jsonl",
            format!(
                "{{\"text\":\"word\"}}\n{{\"text\":\"{book}\",\"id\":8}}\n{{\"text\":\"other\"}}\n"
            ),
            "text",
        ),
    ];
    for (name, table, column) in tables {
        let (input, output) =
            (folder.write(name, table.as_bytes()), folder.argument(&format!("{name}.parquet")));
        // A limit on memory: less than the book twice.
        let limited = format!(
            "ulimit -d 145000; exec {} batch --input {input} --output {output} --threads 1",
            env!("CARGO_BIN_EXE_monomorph")
        );
        let outcome = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
        Outcome::from(outcome).good();
        let read = read(&output);
        let values = read.column_by_name(column).unwrap().as_string::<i32>();
        assert!(values.iter().eq([Some("word"), Some(&book[..]), Some("other")]), "{name}");
    }
}

#[test]
fn what_is_not_read_is_said_in_words() {
    let folder = Folder::new("columns-refused");
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let numbers = write(&folder, "numbers.parquet", vec![("text", numbers)]);
    for (input, message) in [
        (case("brotli.parquet"), "is compressed with brotli, which this program lacks; write"),
        (case("feather_v1.feather"), "is a Feather 1 file, which is not read; write it again"),
        (case("binary_text.parquet"), "\"text\" is bytes without a type, not text; write"),
        (case("null_type.parquet"), "\"text\" is empty: each of its values is null"),
        (case("no_columns.parquet"), "is empty: it has no columns"),
        (numbers, "column \"text\" is float64, not text"),
    ] {
        let outcome = batch(&input, &[]);
        assert!(outcome.failure(1).contains(message), "{}", outcome.stderr);
    }
    let output = folder.argument("out.parquet");
    let union = case("union_beside.arrow");
    let outcome = run(&["batch", "--input", &union, "--output", &output]);
    assert!(
        outcome.failure(1).contains("column \"u\" is of a type that cannot be written"),
        "{}",
        outcome.stderr
    );
    assert!(!batch(&union, &[]).json_lines().is_empty());
    let twice = case("same_name_twice.csv");
    let outcome = run(&["batch", "--input", &twice, "--output", &output]);
    assert!(outcome.failure(1).contains("two columns \"a\", and no program"), "{}", outcome.stderr);
    assert_eq!(batch(&twice, &[]).json_lines().len(), 1);
    let named = columns_of(&folder, &case("empty_name_and_case.csv"));
    assert_eq!(named.num_columns(), 4);
}

/// No digit of a number changes, and numbers are numbers where a type holds all of them.
#[test]
fn columns_hold_what_was_there() {
    let folder = Folder::new("columns-types");
    let table = columns_of(&folder, &case("large_integers.jsonl"));
    let h = table.column_by_name("h").unwrap().as_primitive::<UInt64Type>();
    assert_eq!(h.values(), &[u64::MAX, 5]);
    let m = table.column_by_name("m").unwrap().as_string::<i32>();
    assert_eq!([m.value(0), m.value(1)], ["9007199254740993", "0.5"]);

    let csv = b"text,zip,price,n,flag,big,none,version\n\
                1,01234,9.90,1,true,18446744073709551616,,1.10\n\
                2,99999,10,-2,False,1,,1.9\n";
    let table = columns_of(&folder, &folder.write("in.csv", csv));
    let kinds: Vec<DataType> =
        table.schema().fields().iter().take(7).map(|field| field.data_type().clone()).collect();
    let (text, float) = (DataType::Utf8, DataType::Float64);
    let (int, bool) = (DataType::Int64, DataType::Boolean);
    assert_eq!(kinds, [text.clone(), text.clone(), float, int, bool, text.clone(), text]);
    assert_eq!(table.column(1).as_string::<i32>().value(0), "01234");
    assert_eq!(table.column(2).as_primitive::<Float64Type>().values(), &[9.9, 10.0]);
    assert!(table.column(4).as_boolean().value(0) && !table.column(4).as_boolean().value(1));
    assert_eq!(table.column(5).as_string::<i32>().value(0), "18446744073709551616");
    assert_eq!(table.column(6).as_string::<i32>().value(0), "");

    for (name, row, value) in
        [("nan_beside.jsonl", 0, f64::NAN), ("nan_beside.jsonl", 1, f64::NEG_INFINITY)]
    {
        let table = columns_of(&folder, &case(name));
        let found = table.column(1).as_primitive::<Float64Type>().value(row);
        assert!(found == value || found.is_nan() && value.is_nan(), "{found}");
    }
    for (name, value) in [
        ("lone_surrogate_beside.jsonl", "cut \u{FFFD}"),
        ("number_out_of_range_beside.jsonl", "1e999"),
    ] {
        let table = columns_of(&folder, &case(name));
        assert_eq!(table.column(1).as_string::<i32>().value(0), value);
    }
    let output = folder.argument("twice.parquet");
    let outcome = run(&["batch", "--input", &case("key_twice_beside.jsonl"), "--output", &output]);
    assert!(outcome.failure(1).ends_with("line 1: the key `x` is there twice"));
}

/// A column that begins with integers, and a key that comes late.
#[test]
fn late_changes_of_a_column_end_no_run() {
    if skip_on_large_model() {
        return;
    }
    let folder = Folder::new("columns-late");
    let begin = "{\"text\":\"a\",\"price\":10}\n".repeat(1000);
    let input = folder.write(
        "in.jsonl",
        (begin + "{\"text\":\"a\",\"price\":9.99}\n{\"text\":\"b\",\"k\":1}\n").as_bytes(),
    );
    let table = columns_of(&folder, &input);
    assert_eq!(table.num_rows(), 1002);
    let prices = table.column_by_name("price").unwrap().as_primitive::<Float64Type>();
    assert_eq!((prices.value(0), prices.value(1000)), (10.0, 9.99));
    let csv = "text,n\n".to_owned() + &"a,1\n".repeat(1500) + "a,x\n";
    let table = columns_of(&folder, &folder.write("in.csv", csv.as_bytes()));
    assert_eq!(table.column(1).as_string::<i32>().value(1500), "x");
    assert_eq!(table.column(1).as_string::<i32>().value(0), "1");
    // What a pipe brings stays text in csv.
    let output = folder.argument("piped.parquet");
    let piped = ["batch", "--input", "-", "--input-format", "csv", "--output", &output];
    run_with_input(&piped, csv.as_bytes()).good();
    assert_eq!(read(&output).column(1).as_string::<i32>().value(1500), "x");
}

#[test]
fn damaged_ipc_is_one_line() {
    let folder = Folder::new("columns-damaged");
    let damaged = case("damaged.arrow");
    assert!(batch(&damaged, &[]).failure(1).starts_with(&format!("cannot read {damaged}: ")));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one", "two"]));
    let n: ArrayRef = Arc::new(arrow_array::Int64Array::from(vec![1, 2]));
    let whole = std::fs::read(write(&folder, "in.arrow", vec![("text", texts), ("n", n)])).unwrap();
    let piped = ["batch", "--input", "-", "--output", "-", "--format", "jsonl"];
    let outcome = run_with_input(&piped, &whole);
    assert!(outcome.failure(2).contains("an Arrow IPC file is read from its end; give the file"));
    for length in (0..whole.len()).step_by(whole.len() / 20) {
        let cut = folder.write("cut.arrow", &whole[..length]);
        let outcome = batch(&cut, &[]);
        assert_eq!(outcome.code, Some(1), "{length}: {}", outcome.stderr);
    }
}
