//! Parquet and Arrow, in and out, with the library that wrote them; tests/cli/readback.rs reads them with others.

use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int8Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::support::*;

/// All of a small file.
pub fn read(path: &str) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> =
        builder.with_batch_size(1 << 20).build().unwrap().map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema, &batches).unwrap()
}

/// The values of the column `embedding`.
pub fn embeddings(path: &str) -> Vec<f32> {
    let batch = read(path);
    let list = batch.column_by_name("embedding").unwrap().as_fixed_size_list();
    list.values().as_primitive::<Float32Type>().values().to_vec()
}

fn metadata(path: &str, key: &str) -> String {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = builder.metadata().file_metadata().key_value_metadata().unwrap();
    let found = pairs.iter().find(|pair| pair.key == format!("monomorph.{key}"));
    found.and_then(|pair| pair.value.clone()).unwrap_or_else(|| panic!("no {key}"))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

#[test]
fn columns_of_the_input_stand_beside_the_vectors() {
    let folder = Folder::new("parquet-columns");
    let input = folder.write(
        "in.jsonl",
        b"{\"id\":1,\"text\":\"one\",\"ok\":true,\"x\":1}\n\
          {\"x\":0.5,\"text\":\"two\",\"id\":-2,\"more\":{\"a\":[1]}}\n",
    );
    let output = folder.argument("out.parquet");
    let arguments = ["batch", "--input", &input, "--output", &output, "--prompt", "document"];
    run(&arguments).good();
    let batch = read(&output);
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "text", "ok", "x", "more", "embedding"]);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[1, -2]);
    assert_eq!(batch.column(1).as_string::<i32>().value(1), "two");
    assert!(batch.column(2).is_null(1));
    assert_eq!(*batch.column(3).data_type(), DataType::Float64);
    assert_eq!(batch.column(4).as_string::<i32>().value(1), "{\"a\":[1]}");
    let size = dimensions() as i32;
    assert!(matches!(batch.column(5).data_type(), DataType::FixedSizeList(_, n) if *n == size));
    let expected = ["embed", "--prompt", "document", "--format", "raw", "one", "two"];
    assert_eq!(embeddings(&output), floats(&run(&expected).good()));

    let model = format!("{:032x}", monomorph::built::FINGERPRINT.content);
    for (key, value) in [
        ("version", env!("CARGO_PKG_VERSION")),
        ("model", monomorph::built::NAME),
        ("model_xxh3_128", &model),
        ("prompt", "document"),
        ("prefix", "title: none | text: "),
        ("dimensions", &dimensions().to_string()),
        ("normalized", "true"),
        ("precision", "float32"),
    ] {
        assert_eq!(metadata(&output, key), value, "{key}");
    }
    let again = ["batch", "--input", &output, "--output", &folder.argument("again.parquet")];
    assert!(run(&again).failure(1).contains("already has a column \"embedding\""));
}

/// A pipe cannot be read twice: its first records define the columns.
#[test]
fn late_surprises_in_jsonl_are_bad_records() {
    let folder = Folder::new("parquet-late");
    let mut lines = "{\"text\":\"a\",\"n\":1}\n".repeat(1000);
    lines += "{\"text\":\"a\",\"n\":\"x\"}\n{\"text\":\"a\",\"new\":1}\n{\"text\":\"b\"}\n";
    let output = folder.argument("out.parquet");
    let arguments = ["batch", "--input", "-", "--output", &output, "--keep-going"];
    let outcome = run_with_input(&arguments, lines.as_bytes());
    assert_eq!(outcome.code, Some(3));
    assert!(
        outcome.stderr.contains("line 1001: `n` is not a 64-bit integer"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("line 1002: unexpected key `new`"), "{}", outcome.stderr);
    assert_eq!(read(&output).num_rows(), 1001);

    // A file is read as a whole first.
    let input = folder.write("in.jsonl", lines.as_bytes());
    run(&["batch", "--input", &input, "--output", &output]).good();
    let table = read(&output);
    assert_eq!(table.num_rows(), 1003);
    assert_eq!(table.column_by_name("n").unwrap().as_string::<i32>().value(1000), "x");
    assert_eq!(table.column_by_name("new").unwrap().as_primitive::<Int64Type>().value(1001), 1);
}

#[test]
fn tables_of_arrow_are_read_in_all_their_forms() {
    let folder = Folder::new("parquet-inputs");
    let texts = StringArray::from(vec![Some("one"), Some("two"), None, Some("three")]);
    let keys = Int64Array::from(vec![7, 8, 9, 10]);
    let columns = [("key", Arc::new(keys) as ArrayRef), ("words", Arc::new(texts) as ArrayRef)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let create = |name: &str| File::create(folder.path(name)).unwrap();
    let schema: &Schema = &batch.schema();

    let mut parquet = ArrowWriter::try_new(create("in.parquet"), batch.schema(), None).unwrap();
    let mut file = arrow_ipc::writer::FileWriter::try_new(create("in.arrow"), schema).unwrap();
    let mut stream = arrow_ipc::writer::StreamWriter::try_new(create("in.ipc"), schema).unwrap();
    // In pieces, to go across batches.
    for piece in [batch.slice(0, 1), batch.slice(1, 3)] {
        parquet.write(&piece).unwrap();
        file.write(&piece).unwrap();
        stream.write(&piece).unwrap();
    }
    parquet.close().unwrap();
    file.finish().unwrap();
    stream.finish().unwrap();

    let expected = floats(&run(&["embed", "--format", "raw", "one", "two", "three"]).good());
    for name in ["in.parquet", "in.arrow", "in.ipc"] {
        let (input, output) = (folder.argument(name), folder.argument("out.parquet"));
        let fixed = ["batch", "--input", &input, "--output", &output, "--column", "words"];
        assert!(run(&fixed).failure(1).ends_with("row 3: \"words\" is null"), "{name}");
        let outcome = run(&[&fixed[..], &["--resume", "--keep-going"]].concat());
        assert_eq!(outcome.code, Some(3), "{name}: {}", outcome.stderr);
        assert_eq!(embeddings(&output), expected, "{name}");
        let table = read(&output);
        assert_eq!(table.column(0).as_primitive::<Int64Type>().values(), &[7, 8, 10], "{name}");
        let jsonl = folder.argument("out.jsonl");
        let ids = ["batch", "--input", &input, "--output", &jsonl, "--column", "words"];
        run(&[&ids[..], &["--id-column", "key", "--shard", "0/2"]].concat()).good();
        let lines = std::fs::read_to_string(&jsonl).unwrap();
        assert!(lines.starts_with("{\"id\":7,") && lines.lines().count() == 2, "{lines}");
        let outcome = run(&["batch", "--input", &input, "--output", &jsonl]);
        assert!(outcome.failure(1).contains("no column \"text\"; it has key, words"));
    }
    let piped = std::fs::read(folder.path("in.ipc")).unwrap();
    let arguments = ["batch", "--input", "-", "--input-format", "arrow", "--column", "words"];
    let more = ["--output", "-", "--format", "raw", "--shard", "0/1"];
    assert_eq!(run_with_input(&[&arguments[..], &more].concat(), &piped).code, Some(2));
    let outcome = run_with_input(&[&arguments[..], &more[..4], &["--keep-going"]].concat(), &piped);
    assert_eq!(outcome.code, Some(3));
    assert_eq!(floats(&outcome.stdout), expected);
}

/// The buffers of a batch from IPC lie in one allocation: each must count once, or row groups end far too early.
#[test]
fn rows_of_arrow_count_once() {
    let folder = Folder::new("parquet-wide");
    let wide = Arc::new(StringArray::from(vec!["w".repeat(100); 5000])) as ArrayRef;
    let mut columns: Vec<(String, ArrayRef)> =
        (0..10).map(|i| (format!("c{i}"), wide.clone())).collect();
    columns.push(("text".to_owned(), Arc::new(StringArray::from(vec!["one"; 5000]))));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(folder.path("in.arrow")).unwrap();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let (input, output) = (folder.argument("in.arrow"), folder.argument("out.parquet"));
    run(&["batch", "--input", &input, "--output", &output]).good();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&output).unwrap()).unwrap();
    // 5 MB of columns and 2.5 of vectors; 32 end a group.
    assert_eq!(reader.metadata().num_row_groups(), 1);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 5000);
}

#[test]
fn vectors_are_stored_in_every_precision() {
    let folder = Folder::new("parquet-precision");
    let input = folder.write("in.txt", b"one\ntwo\nthree\n");
    let ranges = folder.argument("ranges.npy");
    run(&["ranges", "--input", &input, "--output", &ranges]).good();
    let stored = |precision: &str| {
        let output = folder.argument(&format!("{precision}.parquet"));
        let fixed = ["batch", "--input", &input, "--output", &output, "--precision", precision];
        let needs: &[&str] = if precision.ends_with("int8") { &["--ranges", &ranges] } else { &[] };
        run(&[&fixed[..], needs].concat()).good();
        assert_eq!(metadata(&output, "precision"), precision);
        let raw = run(&[
            &["embed", "--input", &input, "--format", "raw", "--precision", precision][..],
            needs,
        ]
        .concat())
        .good();
        let column =
            read(&output).column_by_name("embedding").unwrap().as_fixed_size_list().clone();
        assert_eq!(column.len(), 3);
        (column.values().clone(), raw)
    };
    let (values, raw) = stored("float16");
    let halves = values.as_primitive::<Float16Type>().values();
    assert!(halves.iter().flat_map(|x| x.to_le_bytes()).eq(raw));
    for precision in ["int8", "binary"] {
        let (values, raw) = stored(precision);
        assert!(values.as_primitive::<Int8Type>().values().iter().map(|x| *x as u8).eq(raw));
    }
    for precision in ["uint8", "ubinary"] {
        let (values, raw) = stored(precision);
        assert!(values.as_primitive::<arrow_array::types::UInt8Type>().values().iter().eq(&raw));
    }
}
