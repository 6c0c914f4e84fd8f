#!/usr/bin/env python3
"""Our binary against llama.cpp, on the same file, texts and threads.

    CMAKE_ARGS=-DGGML_NATIVE=ON python3 -m pip install --no-binary llama-cpp-python llama-cpp-python==0.3.36
    benches/llama_cpp.py BINARY MODEL.gguf [CASE.jsonl...] [--threads 2] [--rounds 2] [--seconds 3]

To hold both to AVX2, install llama-cpp-python in a separate virtual environment with
CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON', and run with MONOMORPH_ISA=avx2.

A case is a file of {"text": ...} lines, by default each of benches/cases; in one whose name begins with "single",
texts run one by one, else all in one call. The two run in turn, A B B A, each in a process of its own that warms up
first; the figures are medians of all passes, and a ratio is llama.cpp's time divided by ours. In batches of short
texts llama.cpp runs both text by text and eight at a time, and its faster way counts; larger batches were slower.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SHORT = 400  # characters


def passes(run, seconds):
    run()
    took, end = [], time.perf_counter() + seconds
    while not took or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        took.append(time.perf_counter() - began)
    return took


def llama_cpp(options):
    """The other side's process: prints what `monomorph bench --json` does."""
    sys.path.pop(0)  # this file has the package's name
    from llama_cpp import Llama
    texts = [json.loads(line)["text"] for line in open(options.case[0])]

    def load(batch, sequences):
        return Llama(options.model, embedding=True, n_ctx=2048, n_batch=batch, n_ubatch=batch, n_seq_max=sequences,
                     n_threads=options.threads, n_threads_batch=options.threads, verbose=False)

    model = load(2048, 1)
    tokens = sum(len(model.tokenize(text.encode(), add_bos=True, special=True)) for text in texts)
    took = passes(lambda: [model.embed(text, normalize=True) for text in texts], options.seconds)
    if not is_single(options.case[0]) and max(map(len, texts)) < SHORT:
        model = load(128, 8)
        eight = passes(lambda: model.embed(texts, normalize=True), options.seconds)
        took = min(took, eight, key=statistics.median)
    print(json.dumps({"texts": len(texts), "tokens": tokens, "seconds": took}))


def is_single(case):
    return Path(case).stem.startswith("single")


def answer(command):
    """What a process prints last, as JSON."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(options, case):
    fixed = ["--threads", str(options.threads), "--seconds", str(options.seconds)]
    mode = "single" if is_single(case) else "batch"
    commands = {
        "ours": [options.binary, "bench", "--model", options.model, "--input", case, "--mode", mode, "--json", *fixed],
        "llama.cpp": [sys.executable, __file__, "--other-side", options.binary, options.model, case, *fixed],
    }
    seconds, answers = {name: [] for name in commands}, {}
    for turn in range(options.rounds):
        for name in list(commands)[:: -1 if turn % 2 else 1]:
            answers[name] = answer(commands[name])
            seconds[name] += answers[name]["seconds"]
    tokens = {name: answers[name]["tokens"] for name in commands}
    if len(set(tokens.values())) > 1:
        print(f"{case}: the two count different tokens: {tokens}", file=sys.stderr)
    ours, theirs = (statistics.median(seconds[name]) for name in commands)
    print(f"| {Path(case).stem} | {answers['ours']['texts']} | {tokens['ours']} | {theirs * 1e3:.1f} | {ours * 1e3:.1f} "
          f"| {tokens['ours'] / ours:.0f} | {theirs / ours:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("case", nargs="*", default=sorted(map(str, (Path(__file__).parent / "cases").glob("*.jsonl"))))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--other-side", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.other_side:
        return llama_cpp(options)
    print(f"instruction set: {os.environ.get('MONOMORPH_ISA', 'the best of this CPU')}\n")
    print("| case | texts | tokens | llama.cpp ms | ours ms | ours tokens/s | ratio |\n|---|---|---|---|---|---|---|")
    for case in options.case:
        compare(options, case)


if __name__ == "__main__":
    main()
