#!/usr/bin/env python3
"""Where the time of a forward pass goes, for texts of five lengths.

    MODEL_GGUF=model.gguf cargo build --profile profiling
    benches/profile.py target/profiling/monomorph [--threads 2] [--seconds 4]

Samples `monomorph bench --mode single` with perf and sorts each sample by the kernels that its instruction was inlined
through. Needs perf and binutils; all samples are of user space unless the kernel lets perf see more.
"""
import argparse
import bisect
import json
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

LENGTHS = [12, 56, 222, 443, 1664]

# A sample belongs to the first share that any of the source files it was inlined through names.
SHARES = [
    ("attention", r"kernels/(attention|softmax)\.rs"),
    ("GeGLU", r"kernels/activation\.rs"),
    ("repacking", r"/quant/src/(?!panel\.rs)|kernels/matrix\.rs"),
    ("products", r"kernels/(matmul|group|tile)\.rs"),
    ("waiting", r"/threads/|sched|yield"),
    ("norms, RoPE, quantising", r"kernels/(layer_norm|rms_norm|quantize|rope|residual)\.rs|/encoder/"),
]


def executable_segment(binary):
    """File offset and address of the code."""
    for line in subprocess.check_output(["readelf", "-lW", binary], text=True).splitlines():
        fields = line.split()
        if fields and fields[0] == "LOAD" and "E" in fields[6:8]:
            return int(fields[1], 16), int(fields[2], 16)
    raise SystemExit(f"{binary}: no code")


def addresses(data, binary):
    """Counts of the samples' addresses in the binary's own numbering; other code under its name."""
    offset, address = executable_segment(binary)
    shown = subprocess.check_output(
        ["perf", "script", "-i", data, "--show-mmap-events", "-F", "ip,sym,dso"],
        text=True, stderr=subprocess.DEVNULL)
    begin, counts = None, Counter()
    for line in shown.splitlines():
        if "PERF_RECORD_MMAP" in line:
            found = re.search(r"\[0x([0-9a-f]+)\(0x[0-9a-f]+\) @ (0x[0-9a-f]+|0) .*r-xp (.*)$", line)
            if found and Path(found[3]).name == Path(binary).name:
                begin = int(found[1], 16) - int(found[2], 16)
            continue
        fields = line.split()
        if f"({Path(binary).resolve()})" in line and begin is not None:
            counts[int(fields[0], 16) - begin - offset + address] += 1
        elif fields:
            counts["system: " + " ".join(fields[1:])] += 1
    return counts


def inlined(binary, wanted):
    """The functions and source lines that each address was inlined through, innermost first."""
    asked = "".join(f"{address:#x}\n" for address in wanted)
    shown = subprocess.check_output(
        ["addr2line", "-a", "-f", "-i", "-C", "-e", binary], input=asked, text=True)
    frames, chains = None, {}
    for line in shown.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", line):
            frames = chains.setdefault(int(line, 16), [])
        elif frames is not None:
            frames.append(line)
    return chains


def share(frames):
    chain = "\n".join(frames)
    return next((name for name, pattern in SHARES if re.search(pattern, chain)), "other")


def profile(binary, tokens, threads, seconds):
    with tempfile.TemporaryDirectory() as folder:
        text, data = Path(folder) / "text.jsonl", Path(folder) / "perf.data"
        text.write_text(json.dumps({"text": "planet " * (tokens - 3) + "planet"}) + "\n")
        answer = subprocess.check_output(
            ["perf", "record", "-q", "-F", "1999", "-e", "cpu-clock", "-o", str(data), binary, "bench", "--mode", "single",
             "--input", str(text), "--threads", str(threads), "--seconds", str(seconds), "--json"],
            text=True, stderr=subprocess.DEVNULL)
        measured = json.loads(answer)
        counts = addresses(str(data), binary)
    chains = inlined(binary, [a for a in counts if isinstance(a, int)])
    shares = Counter()
    for at, n in counts.items():
        shares[share(chains[at] if isinstance(at, int) else [at])] += n
    return measured, shares


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4)
    options = parser.parse_args()
    names = [name for name, _ in SHARES] + ["other"]
    print("| tokens | ms |", " | ".join(names), "|")
    print("|---" * (2 + len(names)) + "|")
    for tokens in LENGTHS:
        measured, shares = profile(options.binary, tokens, options.threads, options.seconds)
        seconds = sorted(measured["seconds"])[len(measured["seconds"]) // 2]
        total = sum(shares.values())
        cells = [f"{100 * shares[name] / total:.1f} %" for name in names]
        print(f"| {measured['tokens']} | {seconds * 1e3:.1f} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
