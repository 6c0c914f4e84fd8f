"""Compares a binary with the file that it was built for: check.py BINARY MODEL TOKENS VOCAB

TOKENS has a line {"text", "ids"} for each text, with the ids of the original tokenizer, and VOCAB is the original's
vocabulary. Where the model has all pieces of a text, its ids must name the same pieces. For every text, the ids must
be those of `tokenizers` with the model's vocabulary, and the vectors those of a float32 pass over the dequantised
weights.
"""
import json
import subprocess
import sys

import numpy as np

from model import embed, read_gguf, wordpiece

binary, model, token_file, vocab_file = sys.argv[1:]
lines = [json.loads(line) for line in open(token_file)]
texts = [line["text"] for line in lines]
params, vocab = read_gguf(model)
original = [line.rstrip("\n") for line in open(vocab_file, encoding="utf-8")]


def run(*command):
    given = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    command = [binary, *command, "--input", "-", "--input-format", "jsonl"]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


found = [json.loads(line)["ids"] for line in run("tokenize").splitlines()]
assert len(found) == len(texts)
expected = [encoding.ids for encoding in wordpiece(vocab).encode_batch(texts)]
has = set(vocab)
golden = [[original[i] for i in line["ids"]] for line in lines]
whole = [i for i, pieces in enumerate(golden) if has.issuperset(pieces)]
same = [i for i in whole if [vocab[x] for x in found[i]] == golden[i]]
equal = sum(x == y for x, y in zip(found, expected))
print(f"ids: {equal} of {len(texts)} as by tokenizers; {len(same)} of {len(whole)} with all pieces as the original's")

vectors = np.frombuffer(run("embed", "--format", "raw"), np.float32).reshape(len(texts), -1)
cosines = (vectors * embed(params, vocab, texts)).sum(1)
print(f"cosine to the float32 pass: lowest {cosines.min():.6f}, mean {cosines.mean():.6f}")
sys.exit(not (equal == len(texts) and len(same) == len(whole) and cosines.min() >= 0.9999))
