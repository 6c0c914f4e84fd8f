#!/usr/bin/env python3
"""Milliseconds from process start to the printed vector of a short text, for each of some binaries, in turn.

    MODEL_GGUF=model.gguf cargo build --release
    cp target/release/monomorph beside
    MONOMORPH_EMBED=1 MODEL_GGUF=model.gguf cargo build --release
    benches/start.py beside target/release/monomorph [--starts 20] [--text TEXT]

The first start of each is not counted: it may bring the model into the page cache.
"""
import argparse
import statistics
import subprocess
import time


def start(binary, text):
    began = time.perf_counter()
    subprocess.run([binary, "embed", text], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="+")
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--text", default="Mars is the Red Planet.")
    options = parser.parse_args()
    times = {binary: [] for binary in options.binary}
    for i in range(options.starts + 1):
        for binary in options.binary if i % 2 else options.binary[::-1]:
            times[binary].append(start(binary, options.text))
    print("| binary | median ms | least | most |\n|---|---|---|---|")
    for binary, (_, *counted) in times.items():
        print(f"| {binary} | {statistics.median(counted):.1f} | {min(counted):.1f} | {max(counted):.1f} |")


if __name__ == "__main__":
    main()
