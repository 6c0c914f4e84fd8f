#!/usr/bin/env python3
"""Megabytes a second of a model's tokenizer, ours against Hugging Face's, one text at a time on one thread.

    python3 -m pip install tokenizers
    benches/tokenizer_speed.py MODEL.gguf tokenizer.json

The texts are those of the golden data in many languages and forms, and the amendments, shuffled: two thirds prose. Each
side has the fastest of five passes; both must give the same number of tokens.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROSE = 2 << 20
OTHERS = 1 << 20


def corpus():
    golden = ROOT / "testdata/golden"
    odd = [json.loads(line)[0] for line in open(golden / "tokens.jsonl")]
    prose = [json.loads(line)["text"] for line in open(ROOT / "testdata/amendments.jsonl")]
    prose += [json.loads(line)["text"] for line in open(golden / "embeddings.jsonl")]
    pick, texts = random.Random(1), []
    for source, most in [(prose, PROSE), (odd, OTHERS)]:
        size = 0
        while size < most:
            text = pick.choice(source)
            texts.append(text)
            size += len(text.encode())
    pick.shuffle(texts)
    return texts


def main():
    model, original = sys.argv[1:]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(original)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = corpus()
    size = sum(len(text.encode()) for text in texts)
    best, tokens = float("inf"), 0
    for _ in range(5):
        began = time.perf_counter()
        tokens = sum(len(tokenizer.encode(text)) for text in texts)
        best = min(best, time.perf_counter() - began)
    theirs = size / best / 1e6
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
        file.flush()
        command = ["cargo", "bench", "-q", "-p", "monomorph-benches", "--bench", "tokenizer", "--", file.name]
        environment = {**os.environ, "MODEL_GGUF": os.path.abspath(model)}
        answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    counted, ours = re.search(r"(\d+) tokens, ([\d.]+) MB/s", answer).groups()
    print(f"{len(texts)} texts, {size / 1e6:.1f} MB, {tokens} tokens with tokenizers {tokenizers.__version__}, {counted} with ours")
    print(f"{Path(model).name}: {theirs:.2f} MB/s against {ours} MB/s: {float(ours) / theirs:.1f}x")


if __name__ == "__main__":
    main()
