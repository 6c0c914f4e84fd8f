#!/usr/bin/env python3
"""Writes llama_cpp.txt: what llama.cpp makes of the golden texts, by the file's mixture of types.

    make_llama_cpp.py embeddinggemma-300m-Q4_K_M.gguf ...    (needs llama-cpp-python 0.3.36 and numpy)

For each file a line: what its name says behind the last "300m-", then the lowest and the mean cosine of llama.cpp's vectors to
those of the original float32 model. Lines of other files stay. tests/real/real_files.rs compares ours with them.
"""
import json, sys
from pathlib import Path

import numpy as np
from llama_cpp import Llama

HERE = Path(__file__).resolve().parent
texts = [json.loads(line)["text"] for line in open(HERE / "embeddings.jsonl")]
golden = {dense: np.load(HERE / name) for dense, name in
          [(True, "embeddings.npy"), (False, "embeddings_without_dense.npy")]}


def cosines(model, want):
    llm = Llama(model, embedding=True, n_ctx=2048, n_batch=2048, n_ubatch=2048, n_threads=2, n_threads_batch=2,
                verbose=False)
    for text, vector in zip(texts, want):
        tokens = llm.tokenize(text.encode(), add_bos=True, special=True)
        if len(tokens) > 2048:  # cut as the original cuts: the last token stays
            text = llm.detokenize(tokens[1:2047]).decode()
        got = np.array(llm.embed(text, normalize=True))
        yield float(got @ vector / np.linalg.norm(got) / np.linalg.norm(vector))


HEAD = "# file, lowest and mean cosine of llama.cpp's vectors to the original's: made by make_llama_cpp.py"
table = HERE / "llama_cpp.txt"
known = dict(line.split(" ", 1) for line in table.read_text().splitlines()[1:]) if table.exists() else {}
for model in sys.argv[1:]:
    name = Path(model).stem.split("300m-")[-1]
    found = list(cosines(model, golden[not name.endswith("nodense")]))
    known[name] = f"{min(found):.6f} {sum(found) / len(found):.6f}"
    print(name, known[name], flush=True)
table.write_text("\n".join([HEAD, *(f"{name} {found}" for name, found in known.items())]) + "\n")
