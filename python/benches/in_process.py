#!/usr/bin/env python3
"""CPU seconds of engines that run in one process, and of `monomorph batch` of the same model, from Parquet to Parquet.

    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 cargo build --release
    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 pip wheel ./python --wheel-dir dist --no-deps
    pip install dist/*.whl daft datafusion duckdb polars pyarrow
    python/benches/in_process.py target/release/monomorph monomorph_model [--rows 1000] [--threads 2] [--rounds 1]

Each runs in a process of its own, start included, in turn (A B B A a round), and must make the vectors of `batch`.
"""
import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def open_model(options):
    return importlib.import_module(options.module).Model(threads=options.threads)


def encode_arrow(options, texts, output):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(texts)
    vectors = pa.array(open_model(options).encode_arrow(table["text"]))
    pq.write_table(table.append_column("embedding", vectors), output)


def polars(options, texts, output):
    import polars as pl

    model = open_model(options)
    embed = pl.col("text").map_batches(
        lambda texts: pl.Series(model.encode_arrow(texts)),
        return_dtype=pl.Array(pl.Float32, model.get_embedding_dimension()),
        is_elementwise=True,
    )
    pl.scan_parquet(f"{texts}/*.parquet").with_columns(embedding=embed).sink_parquet(output)


def duckdb(options, texts, output):
    import duckdb
    import pyarrow as pa

    model = open_model(options)
    vector = f"FLOAT[{model.get_embedding_dimension()}]"
    with duckdb.connect() as connection:
        connection.create_function(
            "embed", lambda texts: pa.array(model.encode_arrow(texts)), ["VARCHAR"], vector, type="arrow"
        )
        connection.execute(f"COPY (SELECT *, embed(text) AS embedding FROM '{texts}/*.parquet') TO '{output}'")


def datafusion(options, texts, output):
    import datafusion
    import pyarrow as pa

    model = open_model(options)
    vector = pa.list_(pa.field("item", pa.float32(), False), model.get_embedding_dimension())
    embed = datafusion.udf(
        lambda texts: pa.array(model.encode_arrow(texts)), [pa.string_view()], vector, "immutable", name="embed"
    )
    context = datafusion.SessionContext()
    context.register_udf(embed)
    context.register_parquet("texts", str(texts))
    context.sql("SELECT *, embed(text) AS embedding FROM texts").write_parquet(str(output))


def daft(options, texts, output):
    import daft
    import pyarrow as pa

    width = importlib.import_module(f"{options.module}._native").DIMENSIONS

    @daft.cls(max_concurrency=1)
    class Embed:
        def __init__(self):
            self.model = open_model(options)

        @daft.method.batch(return_dtype=daft.DataType.embedding(daft.DataType.float32(), width))
        def embed(self, text: daft.Series):
            return daft.Series.from_arrow(pa.array(self.model.encode_arrow(text.to_arrow())))

    frame = daft.read_parquet(f"{texts}/*.parquet")
    frame.with_column("embedding", Embed().embed(frame["text"])).write_parquet(str(output))


ENGINES = {run.__name__: run for run in [encode_arrow, polars, duckdb, datafusion, daft]}


def cpu_seconds(name, options, texts, output):
    """Runs `batch`, or this script with one engine."""
    if name == "batch":
        command = [options.binary, "batch", "--threads", str(options.threads), "--input", texts, "--output", output]
    else:
        command = [sys.executable, __file__, options.binary, options.module, "--threads", str(options.threads)]
        command += ["--engine", name, texts, output]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = run.stderr.read()
    _, status, usage = os.wait4(run.pid, 0)
    assert status == 0, errors.decode()
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("module", help="the installed package of the same model")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--engine", nargs=3, metavar=("NAME", "TEXTS", "OUTPUT"), help="run one engine, and no more")
    options = parser.parse_args()
    if options.engine:
        name, texts, output = options.engine
        ENGINES[name](options, texts, output)
        return

    from engines import vectors, write_texts

    names = ["batch", *ENGINES]
    found = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(folder, "texts")
        write_texts(texts, options.rows)
        expected = None
        for i in range(options.rounds):
            for turn, name in enumerate([*names, *reversed(names)]):
                output = Path(folder, f"{i}-{turn}.parquet")
                found[name].append(cpu_seconds(name, options, texts, output))
                made = vectors(output)
                expected = expected or made
                assert made[0] == list(range(options.rows)), name
                assert made[1].equals(expected[1]), f"{name} made other vectors"
    base = statistics.median(found["batch"])
    print("| | CPU seconds | median | ratio to batch |\n|---|---|---|---|")
    for name, seconds in found.items():
        median = statistics.median(seconds)
        each = ", ".join(f"{one:.1f}" for one in seconds)
        print(f"| {name} | {each} | {median:.1f} | {median / base:.3f} |")


if __name__ == "__main__":
    main()
