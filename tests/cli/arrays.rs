//! The job arrays of examples/engines, whose jobs run here in turn.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::parquet::{embeddings, read};
use super::recipes::path;
use super::support::*;

/// Not a multiple of the parts.
const ROWS: i64 = 100;
const PARTS: usize = 16;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/engines").join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(example(name)).unwrap()
}

/// What stands between the two, which must occur.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let from = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}")).1;
    from.split_once(after).unwrap_or_else(|| panic!("no {after:?}")).0
}

/// A folder with the table that the examples read, as texts.parquet.
fn folder_of_texts(name: &str) -> Folder {
    let folder = Folder::new(name);
    let texts = StringArray::from_iter_values((0..ROWS).map(|i| format!("note {} of {i}", i % 7)));
    let ids = Int64Array::from_iter_values(0..ROWS);
    let columns = [("id", Arc::new(ids) as ArrayRef), ("text", Arc::new(texts) as ArrayRef)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = File::create(folder.path("texts.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    folder
}

/// Whether the jobs' files, one after another, are what one run over the table writes. `job` gives a job's command.
fn jobs_make_the_table(folder: &Folder, job: impl Fn(usize) -> Command) {
    for part in 0..PARTS {
        let run = || {
            let mut command = job(part);
            command.current_dir(folder.path("")).env_remove("MODEL_GGUF").stdin(Stdio::null());
            Outcome::of(command).good();
            std::fs::metadata(folder.path(&format!("part-{part}.parquet"))).unwrap()
        };
        // One that is sent again after it was done leaves its file alone.
        assert_eq!(run().modified().unwrap(), run().modified().unwrap());
    }
    let (input, whole) = (folder.argument("texts.parquet"), folder.argument("whole.parquet"));
    run(&["batch", "--prompt", "document", "--input", &input, "--output", &whole]).good();
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    for part in 0..PARTS {
        let part = folder.argument(&format!("part-{part}.parquet"));
        ids.extend_from_slice(read(&part).column(0).as_primitive::<Int64Type>().values());
        values.extend(embeddings(&part));
    }
    assert_eq!(ids, (0..ROWS).collect::<Vec<_>>());
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(values.len(), ROWS as usize * dimensions());
    assert!(bits(&values) == bits(&embeddings(&whole)));
    assert_eq!(folder.names().len(), PARTS + 2, "{:?}", folder.names());
}

#[test]
fn a_job_array_of_slurm() {
    let script = text_of("array.slurm");
    assert_eq!(between(&script, "#SBATCH --array=", "\n"), format!("0-{}", PARTS - 1));
    let folder = folder_of_texts("array-slurm");
    jobs_make_the_table(&folder, |part| {
        let mut shell = Command::new("sh");
        shell.arg(example("array.slurm")).env("PATH", path(None));
        shell.env("SLURM_ARRAY_TASK_ID", part.to_string());
        // As where only this one is sent again.
        shell.env("SLURM_ARRAY_TASK_COUNT", "1");
        shell
    });
}

#[test]
fn an_indexed_job_of_kubernetes() {
    let manifest = text_of("indexed-job.yaml");
    assert_eq!(between(&manifest, "completions: ", "\n"), PARTS.to_string());
    assert_eq!(between(&manifest, "completionMode: ", "\n"), "Indexed");
    assert!(manifest.contains("mountPath: /data}"));
    let arguments: Vec<&str> =
        between(&manifest, "args: [", "]").split(',').map(str::trim).collect();
    let folder = folder_of_texts("array-kubernetes");
    let volume = folder.argument("");
    jobs_make_the_table(&folder, |part| {
        let given = arguments.iter().map(|argument| {
            argument
                .replace("$(JOB_COMPLETION_INDEX)", &part.to_string())
                .replace("/data/", &volume)
        });
        let mut command = command(&[]);
        command.args(given);
        command
    });
}
