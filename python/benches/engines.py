#!/usr/bin/env python3
"""Wall times of Ray Data and Spark over a folder of Parquet files, and of `monomorph batch` of the same model, in turn.

    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 cargo build --release
    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 pip wheel ./python --wheel-dir dist --no-deps
    pip install dist/*.whl --requirement python/tests/requirements-engines.txt
    python/benches/engines.py target/release/monomorph monomorph_model [--rows 2000] [--threads 2] [--rounds 2]

All write Parquet files, which must hold the same vectors. `batch` is counted from its start to its end. An engine is
started for each turn and embeds a few rows first, so that its processes are there. Spark keeps its Python workers: its
whole job counts. Ray has new actors for each job: it counts from when the last one has opened the model.
"""
import argparse
import importlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILES = 8
TEXTS = Path(__file__).parents[2] / "testdata/amendments.jsonl"


def random_texts(rows):
    """Texts of 1 to 40 words."""
    words = " ".join(json.loads(line)["text"] for line in TEXTS.open()).split()
    chance = random.Random(1)
    return [" ".join(chance.choices(words, k=chance.randint(1, 40))) for _ in range(rows)]


def write_texts(folder, rows):
    table = pa.table({"id": range(rows), "text": random_texts(rows)})
    folder.mkdir()
    for i in range(FILES):
        begin, end = i * rows // FILES, (i + 1) * rows // FILES
        # Java's Snappy is missing on some machines.
        pq.write_table(table[begin:end], folder / f"{i}.parquet", compression="none")


def vectors(path):
    """The vectors of a file or a folder by id, whatever their type of list."""
    # Not the texts: DataFusion's are views, which pyarrow cannot sort.
    table = pq.read_table(path, columns=["id", "embedding"]).sort_by("id")
    return table["id"].to_pylist(), table["embedding"].combine_chunks().flatten()


def batch(options, texts, output, few, folder):
    began = time.time()
    subprocess.run(
        [options.binary, "batch", "--threads", str(options.threads), "--input", texts, "--output", output / "0.parquet"],
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.time() - began


def ray(options, texts, output, few, folder):
    import ray

    opened = folder / "opened"

    class Timed(importlib.import_module(f"{options.module}.ray").Embed):
        def __init__(self):
            super().__init__()
            opened.write_text(str(time.time()))

    def job(texts, output):
        began = time.time()
        rows = ray.data.read_parquet(str(texts), override_num_blocks=FILES).map_batches(
            Timed,
            batch_format="pyarrow",
            batch_size=2048,
            num_cpus=options.threads,
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        rows.write_parquet(str(output))
        return time.time() - max(began, float(opened.read_text()))

    # Room for a reader and a writer.
    ray.init(
        num_cpus=options.threads + 2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="warning",
        _node_ip_address="127.0.0.1",
    )
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        job(few, folder / "few")
        return job(texts, output)
    finally:
        ray.shutdown()


def spark(options, texts, output, few, folder):
    from pyspark.sql import SparkSession

    embed = importlib.import_module(f"{options.module}.spark").embed
    session = (
        SparkSession.builder.master(f"local[{options.threads}]")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 2048)
        .config("spark.sql.files.minPartitionNum", FILES)
        .config("spark.sql.parquet.compression.codec", "uncompressed")
        .config("spark.ui.enabled", False)
        .config("spark.ui.showConsoleProgress", False)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")

    def job(texts, output):
        began = time.time()
        frame = session.read.parquet(str(texts))
        frame = frame.mapInArrow(embed(), "id long, text string, embedding array<float>")
        frame.write.mode("overwrite").parquet(str(output))
        return time.time() - began

    try:
        job(few, folder / "few")
        return job(texts, output)
    finally:
        session.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("module", help="the installed package of the same model")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=2, help="threads of batch and of Ray's actor, workers of Spark")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    # These would take the place of what the engines set.
    for name in ["OMP_NUM_THREADS", "MONOMORPH_THREADS"]:
        os.environ.pop(name, None)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    runs = [batch, ray, spark]
    times = {run: [] for run in runs}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_texts(folder / "texts", options.rows)
        write_texts(folder / "few_texts", 8 * FILES)
        expected = None
        for i in range(options.rounds):
            for run in runs[:: -1 if i % 2 else 1]:
                output = folder / "output"
                output.mkdir()
                times[run].append(run(options, folder / "texts", output, folder / "few_texts", folder))
                found = vectors(output)
                expected = expected or found
                assert found[0] == list(range(options.rows)), run.__name__
                assert found[1].equals(expected[1]), f"{run.__name__} made other vectors"
                shutil.rmtree(output)
    base = statistics.median(times[batch])
    print("| | wall seconds | median | ratio to batch |\n|---|---|---|---|")
    for run, found in times.items():
        median = statistics.median(found)
        each = ", ".join(f"{seconds:.2f}" for seconds in found)
        print(f"| {run.__name__} | {each} | {median:.2f} | {median / base:.3f} |")


if __name__ == "__main__":
    main()
