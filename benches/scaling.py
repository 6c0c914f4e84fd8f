#!/usr/bin/env python3
"""Tokens per second for texts of growing length, and for growing batches of texts of 56 tokens.

    MODEL_GGUF=model.gguf cargo build --release
    benches/scaling.py target/release/monomorph [--threads 2] [--seconds 2]
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

LENGTHS = [12, 56, 222, 256, 443, 1663, 2048]
BATCHES = [1, 2, 4, 8, 16, 32, 64, 96]
BATCH_LENGTH = 56


def text(tokens):
    # Each word is one token; two more mark the beginning and the end.
    return json.dumps({"text": " ".join(["planet"] * (tokens - 2))}) + "\n"


def measure(options, lines, mode):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        path.write_text(lines)
        answer = json.loads(subprocess.check_output(
            [options.binary, "bench", "--input", str(path), "--mode", mode, "--threads", str(options.threads),
             "--seconds", str(options.seconds), "--json"], stderr=subprocess.DEVNULL))
    return answer["tokens"], statistics.median(answer["seconds"])


def table(head, rows):
    print(f"| {head} | tokens | ms | tokens/s |\n|---|---|---|---|")
    for name, (tokens, seconds) in rows:
        print(f"| {name} | {tokens} | {seconds * 1e3:.1f} | {tokens / seconds:.0f} |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    table("one text", ((n, measure(options, text(n), "single")) for n in LENGTHS))
    table("texts in a batch", ((n, measure(options, text(BATCH_LENGTH) * n, "batch")) for n in BATCHES))


if __name__ == "__main__":
    main()
