#!/usr/bin/env python3
"""What the package of a real model must hold to, against the binary of the same model: a line of PASS or FAIL for each.

    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 cargo build --release
    MODEL_GGUF=model.gguf MONOMORPH_EMBED=1 pip wheel ./python --wheel-dir dist --no-deps
    pip install dist/*.whl pyarrow
    python/benches/acceptance.py target/release/monomorph monomorph_model [--wheel dist/FILE.whl] [--only speed start]

memory: 1 to 8 workers; speed: `encode` of a list and `encode_arrow` against `bench`, in turn; single: one short text a
call; start: import, open and first vector in new processes; interrupt: Ctrl-C in long calls, of short texts and of long
ones; stream: a million short texts by `encode_iter`, for which --stream-module names a smaller model's package if the
own one would take hours; wheel: its size and the time to install it. Times are medians but for single. Forks, and the
bits, are in python/tests, which run on any installed package with MONOMORPH_MODULE and MONOMORPH_BINARY. Needs Linux's
/proc.
"""
import argparse
import importlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from engines import random_texts

CASES = Path(__file__).parents[2] / "benches/cases"


def texts_of(path):
    return [json.loads(line)["text"] for line in open(path)]


class Run:
    """The options, and how many checks have failed."""

    def __init__(self, options):
        self.options = options
        self.failed = 0

    @cached_property
    def model(self):
        """The model of this process."""
        return importlib.import_module(self.options.module).Model(threads=self.options.threads)

    def report(self, ok, what):
        self.failed += not ok
        print("PASS" if ok else "FAIL", what, flush=True)

    def bench(self, path, mode, seconds):
        """The seconds of each pass of the binary, after one that is not counted."""
        command = [self.options.binary, "bench", "--input", path, "--mode", mode, "--seconds", str(seconds)]
        command += ["--threads", str(self.options.threads), "--json"]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["seconds"]

    def python(self, code, module=None, **names):
        """Starts Python code, where `Model` is not imported yet."""
        names = {"module": module or self.options.module, "threads": self.options.threads, **names}
        given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        return subprocess.Popen(
            [sys.executable, "-c", given + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


def passes(call, seconds):
    took, end = [], time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return took


def speed(run):
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder, "many.jsonl")
        texts = random_texts(run.options.rows)
        many.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        for path, rounds, seconds in [(CASES / "batch_mixed.jsonl", 3, 4), (many, 1, 0)]:
            texts = texts_of(path)
            column = pa.array(texts)
            run.model.encode(texts[:96])
            calls = {
                "bench": lambda: run.bench(path, "batch", seconds),
                "encode": lambda: passes(lambda: run.model.encode(texts), seconds),
                "encode_arrow": lambda: passes(lambda: run.model.encode_arrow(column), seconds),
            }
            took = {name: [] for name in calls}
            for _ in range(rounds):
                for name in [*calls, *reversed(calls)]:
                    took[name] += calls[name]()
            base, *ours = (statistics.median(found) for found in took.values())
            for name, seconds_of in zip(["encode", "encode_arrow"], ours):
                ratio = base / seconds_of
                each = f"{base:.3f} s against {seconds_of:.3f} s"
                run.report(ratio >= 0.98, f"{name}, {len(texts)} texts: {ratio:.3f} of bench's speed ({each}); >= 0.98")


def single(run):
    path = CASES / "single_short.jsonl"
    (text,) = texts_of(path)
    run.model.encode(text)
    base, ours = [], []
    for _ in range(4):
        base += run.bench(path, "single", 2)
        ours += passes(lambda: run.model.encode(text), 4)
        base += run.bench(path, "single", 2)
    # What else the machine does lasts longer than the difference, so the fastest tenth of the calls counts.
    base, ours = (statistics.quantiles(found, n=10)[0] * 1e6 for found in [base, ours])
    what = f"one short text: {ours:.0f} us, bench {base:.0f} us, difference {ours - base:.0f} us; <= 100 us"
    run.report(ours - base <= 100, what)


START = """
import importlib, time
import numpy
began = time.perf_counter()
Model = importlib.import_module(module).Model
imported = time.perf_counter()
model = Model(threads=threads)
opened = time.perf_counter()
model.encode(text)
print(imported - began, opened - imported, time.perf_counter() - opened)
"""


def start(run):
    (text,) = texts_of(CASES / "single_short.jsonl")
    binary, ours = [], []
    for i in range(11):
        for which in ["binary", "python"][:: -1 if i % 2 else 1]:
            if which == "binary":
                began = time.perf_counter()
                command = [run.options.binary, "embed", "--threads", str(run.options.threads), text]
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                binary.append((time.perf_counter() - began) * 1e3)
            else:
                out, _ = run.python(START, text=text).communicate()
                ours.append([float(seconds) * 1e3 for seconds in out.split()])
    binary = statistics.median(binary[1:])
    imported, opened, first = (statistics.median(values) for values in zip(*ours[1:]))
    run.report(imported <= 10, f"import after numpy: {imported:.1f} ms; <= 10 ms")
    run.report(opened <= 10, f"open: {opened:.1f} ms; <= 10 ms")
    what = f"first vector: {first:.1f} ms, the binary from start to end {binary:.1f} ms; <= 10 ms more"
    run.report(first <= binary + 10, what)


INTERRUPT = """
import importlib, signal, time
# A shell's background job ignores SIGINT, and so would Python.
signal.signal(signal.SIGINT, signal.default_int_handler)
model = importlib.import_module(module).Model(threads=threads)
expected = model.encode("again")
texts = [" ".join(["word"] * words) + f" {i}" for i in range(count)]
print("ready", flush=True)
try:
    model.encode(texts)
except KeyboardInterrupt:
    print(time.monotonic())
print(model.encode("again").tobytes() == expected.tobytes())
"""


def interrupt(run):
    for words, count in [(6, 100_000), (run.model.max_seq_length, 500)]:
        took = []
        for i in range(6):
            process = run.python(INTERRUPT, words=words, count=count)
            assert process.stdout.readline() == "ready\n"
            time.sleep(1 + i * 0.13)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
            raised, again = out.split()
            assert again == "True", out
            took.append((float(raised) - sent) * 1e3)
        what = f"Ctrl-C in texts of {words} words: the exception after at most {max(took):.0f} ms of {len(took)} tries"
        run.report(max(took) <= 200, f"{what}, and the next call works; <= 200 ms")


WORKER = """
import importlib, json
model = importlib.import_module(module).Model(threads=threads)
model.encode([json.loads(line)["text"] for line in open(path)])
print("ready", flush=True)
input()
"""


def memory(run):
    """The workers of a machine: what each has to itself, and its part of the pages that they share, which this process
    must not share.
    """
    assert "model" not in vars(run)
    shares = []
    for n in [1, 2, 4, 8]:
        workers = [run.python(WORKER, path=str(CASES / "batch_mixed.jsonl")) for _ in range(n)]
        found = []
        try:
            for worker in workers:
                assert worker.stdout.readline() == "ready\n"
            for worker in workers:
                lines = map(str.split, Path(f"/proc/{worker.pid}/smaps_rollup").read_text().splitlines())
                found.append({line[0]: int(line[1]) * 1024 / 1e6 for line in lines if line[-1] == "kB"})
        finally:
            for worker in workers:
                worker.communicate("\n")
        private = max(one["Anonymous:"] for one in found)
        shares.append(statistics.mean(one["Pss:"] for one in found))
        what = f"{n} workers after 96 texts: private (Anonymous) at most {private:.0f} MB each, Pss {shares[-1]:.0f} MB each"
        run.report(private <= 64, f"{what}, {shares[-1] * n:.0f} MB in all; private <= 64 MB")
    run.report(shares == sorted(shares, reverse=True), "Pss falls with the number of workers")


STREAM = """
import importlib, random, threading, time
def private():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in file if line.startswith("RssAnon"))
words = "moon tide orbit crater rover dust ice basalt storm ring comet dawn".split()
chance = random.Random(1)
texts = [" ".join(chance.choices(words, k=chance.randint(2, 8))) for _ in range(rows)]
before = peak = private()
def watch():
    global peak
    while True:
        peak = max(peak, private())
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
model = importlib.import_module(module).Model(threads=threads)
assert sum(len(vectors) for vectors in model.encode_iter(texts)) == rows
print(before, peak)
"""


def stream(run):
    module, rows = run.options.stream_module or run.options.module, run.options.stream_rows
    out, _ = run.python(STREAM, module, rows=rows).communicate()
    before, peak = map(float, out.split())
    what = f"encode_iter over {rows} short texts ({module}): at most {peak - before:.0f} MB more than"
    run.report(peak - before <= 150, f"{what} the {before:.0f} MB with the texts; <= 150 MB")


def wheel(run):
    if run.options.wheel is None:
        raise SystemExit("error: wheel needs --wheel")
    size = run.options.wheel.stat().st_size / 1e6
    run.report(size <= 350, f"wheel: {size:.0f} MB; <= 350 MB")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder]
        subprocess.run([*command, run.options.wheel], check=True)
        took = time.perf_counter() - began
    run.report(took <= 10, f"install by pip: {took:.1f} s; <= 10 s")


CHECKS = {check.__name__: check for check in [memory, speed, single, start, interrupt, stream, wheel]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("module", help="the installed package of the same model")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--rows", type=int, default=2000, help="texts of the longer list of speed")
    parser.add_argument("--stream-module")
    parser.add_argument("--stream-rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wheel", type=Path)
    options = parser.parse_args()
    for name in ["OMP_NUM_THREADS", "MONOMORPH_THREADS", "MONOMORPH_ISA"]:
        os.environ.pop(name, None)
    run = Run(options)
    for name, check in CHECKS.items():
        if name in options.only:
            check(run)
    raise SystemExit(run.failed > 0)


if __name__ == "__main__":
    main()
