#!/usr/bin/env python3
"""`batch` over a million short texts, jsonl to Parquet: memory, order, three SIGKILLs, and three shards.

    cargo build --release
    benches/million.py target/release/monomorph [--rows 1000000] [--seed 1]

Needs pyarrow and Linux's /proc. Each check that fails ends the script.
"""
import argparse
import hashlib
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path

import pyarrow.parquet

WORDS = "moon tide orbit crater rover dust ice basalt storm ring comet dawn".split()


def write_texts(path, rows, seed):
    chance = random.Random(seed)
    with open(path, "w") as file:
        for i in range(rows):
            text = " ".join(chance.choices(WORDS, k=chance.randint(2, 8)))
            file.write(json.dumps({"id": i, "text": text}) + "\n")


def peak_mib(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak[0].split()[1]) // 1024 if peak else None


def start(options, texts, output, *more):
    return subprocess.Popen([options.binary, "batch", "--input", texts, "--output", output, *more],
                            stderr=subprocess.DEVNULL)


def whole(options, texts, output):
    """Runs to the end; gives the seconds, and the peak of memory now and then."""
    began, peaks = time.time(), []
    run = start(options, texts, output)
    while run.poll() is None:
        peaks.append((time.time() - began, peak_mib(run.pid)))
        time.sleep(0.5)
    assert run.returncode == 0, run.returncode
    seconds = time.time() - began
    peaks = [peak for peak in peaks if peak[1]]
    at = [next(peak for when, peak in peaks if when >= share * peaks[-1][0]) for share in (0.1, 0.5, 1)]
    return seconds, at


def killed(options, texts, output, seconds, seed):
    chance = random.Random(seed)
    points = [chance.uniform(0.05, 0.3) * seconds for _ in range(3)]
    for point in points:
        run = start(options, texts, output, "--resume")
        time.sleep(point)
        assert run.poll() is None, "it ended before it was killed"
        run.kill()
        run.wait()
    assert start(options, texts, output, "--resume").wait() == 0
    return points


def content(paths):
    """Rows, whether their ids count up from 0, and a hash of the vectors' bytes."""
    rows, ordered, vectors = 0, True, hashlib.sha256()
    for path in paths:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(columns=["id", "embedding"]):
            ids = [int(i) for i in batch.column("id").to_pylist()]
            ordered &= ids == list(range(rows, rows + len(ids)))
            rows += len(ids)
            vectors.update(batch.column("embedding").flatten().to_numpy().tobytes())
    return rows, ordered, vectors.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: str(Path(folder) / name)
        texts = path("texts.jsonl")
        write_texts(texts, options.rows, options.seed)

        seconds, peaks = whole(options, texts, path("whole.parquet"))
        rows, ordered, vectors = content([path("whole.parquet")])
        print(f"whole: {seconds:.0f} s, {rows} rows, in order: {ordered}; peak memory at 10 %, 50 % and the end: "
              f"{peaks} MiB", flush=True)
        assert rows == options.rows and ordered

        points = killed(options, texts, path("killed.parquet"), seconds, options.seed)
        same = content([path("killed.parquet")]) == (rows, True, vectors)
        print(f"killed after {', '.join(f'{point:.0f} s' for point in points)}, resumed: same vectors: {same}", flush=True)
        assert same

        shards = [path(f"shard{i}.parquet") for i in range(3)]
        for i, shard in enumerate(shards):
            assert start(options, texts, shard, "--shard", f"{i}/3").wait() == 0
        same = content(shards) == (rows, True, vectors)
        print(f"three shards, one after the other: the same vectors in the same order: {same}", flush=True)
        assert same


if __name__ == "__main__":
    main()
