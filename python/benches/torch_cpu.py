#!/usr/bin/env python3
"""The package of a model against sentence-transformers, which runs the original model in PyTorch, on the same texts.

    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 pip wheel ./python --wheel-dir dist --no-deps
    pip install dist/*.whl torch sentence-transformers
    python/benches/torch_cpu.py monomorph_model SOURCE benches/cases/*.jsonl [--threads 2] [--rounds 2] [--seconds 3]

SOURCE is the folder of the original model, as sentence-transformers loads it; it runs on the CPU in float32. A case is a
file of {"text": ...} lines; in one whose name begins with "single", texts run one by one, in others in one call, for
which sentence-transformers may choose the better of two sizes of batch. Each side has a process of its own. The two run
in turn (A B B A a round); figures are medians of all passes. A start is counted in a new process of Python, from before
the import to the vector of a short text.
"""
import argparse
import importlib.metadata
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BATCHES = [8, 32]

STARTS = {
    "monomorph": "from {module} import Model; model = Model(threads={threads})",
    "sentence-transformers": "import torch; torch.set_num_threads({threads}); "
    "from sentence_transformers import SentenceTransformer; "
    "model = SentenceTransformer({source!r}, device='cpu', model_kwargs={{'dtype': 'float32'}})",
}
START = "import time; began = time.perf_counter(); {open}; model.encode('Mars is red.'); print(time.perf_counter() - began)"


def opening(side, options):
    return STARTS[side].format(module=options.module, source=str(options.source), threads=options.threads)


def start(side, options):
    """The seconds from the import to the first vector, and the process's peak of memory in MB."""
    run = subprocess.Popen([sys.executable, "-c", START.format(open=opening(side, options))], stdout=subprocess.PIPE)
    seconds = float(run.stdout.read())
    _, status, usage = os.wait4(run.pid, 0)
    assert status == 0, status
    return seconds, usage.ru_maxrss / 1e3


def serve(pipe, side, options):
    """Opens a side's model, and then makes passes over texts when it is asked."""
    variables = {}
    exec(opening(side, options), variables)
    model = variables["model"]

    def encode(texts, single, batch):
        if single:
            return [model.encode(text) for text in texts]
        # monomorph finds its own batches.
        return model.encode(texts) if side == "monomorph" else model.encode(texts, batch_size=batch)

    while True:
        texts, single, batch, seconds = pipe.recv()
        vectors = np.array(encode(texts, single, batch))
        took, end = [], time.perf_counter() + seconds
        while not took or time.perf_counter() < end:
            began = time.perf_counter()
            encode(texts, single, batch)
            took.append(time.perf_counter() - began)
        pipe.send((vectors, took))


def compare(pipes, case, options):
    texts = [json.loads(line)["text"] for line in case.open()]
    single = case.stem.startswith("single")

    def passes(side, batch, seconds):
        pipes[side].send((texts, single, batch, seconds))
        return pipes[side].recv()

    ours, theirs = STARTS
    sizes = [1] if single else BATCHES
    batch = min(sizes, key=lambda size: statistics.median(passes(theirs, size, options.seconds / 2)[1]))
    took, vectors = {ours: [], theirs: []}, {}
    for _ in range(options.rounds):
        for side in [ours, theirs, theirs, ours]:
            vectors[side], found = passes(side, batch, options.seconds)
            took[side] += found
    a, b = (vectors[side] / np.linalg.norm(vectors[side], axis=1, keepdims=True) for side in [ours, theirs])
    cosines = (a * b).sum(axis=1)
    medians = [statistics.median(took[side]) for side in [ours, theirs]]
    cells = [f"{seconds * 1e3 / len(texts):.2f} ms ({len(texts) / seconds:.1f})" for seconds in medians]
    size = "" if single else f", {batch} a batch"
    return (f"| {case.stem} | {cells[0]} | {cells[1]}{size} | {medians[1] / medians[0]:.2f} "
            f"| {cosines.min():.4f}, {cosines.mean():.4f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", help="the installed package")
    parser.add_argument("source", type=Path)
    parser.add_argument("case", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--starts", type=int, default=4, help="of each side, after one that is not counted")
    options = parser.parse_args()
    # Everything is in SOURCE.
    os.environ["HF_HUB_OFFLINE"] = "1"
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in ["torch", "sentence-transformers"]))

    starts = {side: [] for side in STARTS}
    for i in range(options.starts + 1):
        for side in list(STARTS)[:: -1 if i % 2 else 1]:
            starts[side].append(start(side, options))
    for side, (_, *counted) in starts.items():
        seconds, peak = (statistics.median(values) for values in zip(*counted))
        print(f"{side}: {seconds:.3f} s from the import to the first vector, at most {peak:.0f} MB", flush=True)

    context = multiprocessing.get_context("spawn")
    pipes = {}
    for side in STARTS:
        pipes[side], other = context.Pipe()
        context.Process(target=serve, args=(other, side, options), daemon=True).start()
    print("\n| case | monomorph, a text (texts a second) | sentence-transformers | ratio | cosine: lowest, mean |")
    print("|---|---|---|---|---|")
    for case in options.case:
        print(compare(pipes, case, options), flush=True)


if __name__ == "__main__":
    main()
