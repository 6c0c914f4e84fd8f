//! Queries over a Parquet file, whose vectors must have the library's bits.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Float32Type, UInt32Type};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::SessionContext;
use monomorph::{EmbedOptions, Embedder, built};
use monomorph_datafusion::{ROWS, embed_udf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Several batches of the function, the last not full.
const TEXTS: usize = 3 * ROWS - 10;
const NULL: usize = ROWS + 7;

fn text(row: usize) -> Option<String> {
    match row {
        NULL => None,
        5 => Some(String::new()),
        row => Some(format!("row {row}: {}", "moon and tide ".repeat(row % 5))),
    }
}

/// A session with the function, and a Parquet file as the table `passages`.
async fn session(name: &str) -> (SessionContext, Arc<Embedder>) {
    let folder = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&folder);
    let ids: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..TEXTS as u32));
    let texts: ArrayRef = Arc::new(StringArray::from_iter((0..TEXTS).map(text)));
    let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    let context = SessionContext::new();
    let frame = context.read_batch(batch).unwrap();
    frame.write_parquet(&folder, DataFrameWriteOptions::new(), None).await.unwrap();
    context.register_parquet("passages", &folder, Default::default()).await.unwrap();
    let embedder = Arc::new(Embedder::options().threads(2).open_built().unwrap());
    context.register_udf(embed_udf(embedder.clone()));
    (context, embedder)
}

async fn rows(context: &SessionContext, query: &str) -> RecordBatch {
    let batches = context.sql(query).await.unwrap().collect().await.unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

async fn error(context: &SessionContext, query: &str) -> String {
    match context.sql(query).await {
        Err(error) => error.to_string(),
        Ok(frame) => frame.collect().await.unwrap_err().to_string(),
    }
}

fn bits(vector: &dyn Array) -> Vec<u32> {
    vector.as_primitive::<Float32Type>().values().iter().map(|value| value.to_bits()).collect()
}

fn expected(embedder: &Embedder, text: &str, options: &EmbedOptions) -> Vec<u32> {
    let embedding = embedder.run(&[text], options).unwrap().remove(0);
    embedding.vector.into_iter().map(f32::to_bits).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_have_the_bits_of_the_library() {
    let (context, embedder) = session("bits").await;
    let found = rows(&context, "SELECT id, embed(text) AS vector FROM passages ORDER BY id").await;
    assert_eq!(found.num_rows(), TEXTS);
    let width = embedder.info().dimensions;
    let DataType::FixedSizeList(item, size) = found.column(1).data_type() else { panic!() };
    assert_eq!((*size as usize, item.data_type()), (width, &DataType::Float32));
    let vectors = found.column(1).as_fixed_size_list();
    for row in 0..TEXTS {
        assert_eq!(found.column(0).as_primitive::<UInt32Type>().value(row), row as u32);
        match text(row) {
            None => assert!(vectors.is_null(row)),
            Some(text) => {
                let expected = expected(&embedder, &text, &EmbedOptions::default());
                assert_eq!(bits(&vectors.value(row)), expected, "row {row}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_and_a_number_of_dimensions() {
    let (context, embedder) = session("options").await;
    let prompt = built::SPEC.prompts.first().map(|prompt| prompt.name());
    let literal = prompt.map_or("NULL".to_owned(), |name| format!("'{name}'"));
    let query = format!("SELECT embed(text, {literal}, 16) AS vector FROM passages WHERE id = 20");
    let found = rows(&context, &query).await;
    let options = EmbedOptions {
        prompt: prompt.map(|name| embedder.prompt(name).unwrap()),
        dimensions: Some(16),
        ..EmbedOptions::default()
    };
    let expected = expected(&embedder, &text(20).unwrap(), &options);
    assert_eq!(bits(&found.column(0).as_fixed_size_list().value(0)), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_text_for_all_rows() {
    let (context, embedder) = session("one").await;
    let query =
        "SELECT id, embed('moon') AS vector FROM passages WHERE embed(text) = embed('row 20: ')";
    let found = rows(&context, query).await;
    assert_eq!(found.column(0).as_primitive::<UInt32Type>().values(), &[20]);
    let expected = expected(&embedder, "moon", &EmbedOptions::default());
    assert_eq!(bits(&found.column(1).as_fixed_size_list().value(0)), expected);
    // A row each, and not one for each batch.
    let all = rows(&context, "SELECT embed('moon') AS vector, id FROM passages").await;
    let vectors = all.column(0).as_fixed_size_list();
    assert_eq!(vectors.len(), TEXTS);
    assert!((0..TEXTS).all(|row| bits(&vectors.value(row)) == expected));
}

/// However a table has its texts, dictionaries included.
#[tokio::test(flavor = "multi_thread")]
async fn texts_of_every_type() {
    let (context, embedder) = session("types").await;
    let expected = expected(&embedder, &text(20).unwrap(), &EmbedOptions::default());
    for of in ["Utf8", "LargeUtf8", "Utf8View", "Dictionary(Int32, Utf8)"] {
        let query = format!("SELECT embed(arrow_cast(text, '{of}')) FROM passages WHERE id = 20");
        let found = rows(&context, &query).await;
        assert_eq!(bits(&found.column(0).as_fixed_size_list().value(0)), expected, "{of}");
    }
    let found = rows(&context, "SELECT embed(NULL) FROM passages WHERE id = 20").await;
    assert!(found.column(0).is_null(0));
}

#[tokio::test]
async fn wrong_calls_are_refused_in_the_plan() {
    let (context, embedder) = session("wrong").await;
    let too_many = embedder.info().dimensions + 1;
    for (call, message) in [
        ("embed(id)", "embed takes a text, not UInt32"),
        ("embed()", "embed"),
        ("embed(text, 'poetry')", "embed: "),
        ("embed(text, text)", "the prompt must be a literal"),
        ("embed(text, NULL, 0)", "0 dimensions"),
        (&format!("embed(text, NULL, {too_many})"), "the model has 1 to"),
    ] {
        let found = error(&context, &format!("SELECT {call} FROM passages")).await;
        assert!(found.contains(message), "{call}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_dropped_ends_its_batch() {
    let (context, embedder) = session("cancel").await;
    // Seconds of work for each batch: every text as long as the context.
    let long = "moon and tide ".repeat(2000);
    let query = format!("SELECT embed('{long}' || text) AS vector FROM passages");
    let query = context.sql(&query).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(500), query.collect()).await.is_err());
    // It waits for what is running.
    let began = Instant::now();
    embedder.embed("moon").unwrap();
    let waited = began.elapsed();
    let began = Instant::now();
    for _ in 0..16 {
        embedder.embed(&long).unwrap();
    }
    let batch = began.elapsed() * (ROWS / 16) as u32;
    assert!(waited < batch / 8, "{waited:?}, a batch would take {batch:?}");
}
