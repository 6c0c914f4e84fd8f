#!/usr/bin/env python3
"""Writes what sentence-transformers makes of testdata/golden/embeddings.npy in every precision.

    pip download --no-deps sentence-transformers==6.2.0 && unzip sentence_transformers-*.whl -d st
    python make.py st

Only `sentence_transformers/util/quantization.py` runs. It imports torch for the type of an argument that is not used
here, and a helper for tensors beside it; a name of each is enough, so neither torch nor the package is installed.
"""

import sys
import types
from pathlib import Path

import numpy as np

here = Path(__file__).resolve().parent


def quantize_embeddings(package):
    torch = types.ModuleType("torch")
    torch.Tensor = type("Tensor", (), {})
    parent, tensor = types.ModuleType("st"), types.ModuleType("st.tensor")
    parent.__path__ = []
    tensor._tensor_to_numpy = None
    sys.modules.update({"torch": torch, "st": parent, "st.tensor": tensor})
    module = types.ModuleType("st.quantization")
    module.__package__ = "st"
    source = Path(package) / "sentence_transformers/util/quantization.py"
    exec(compile(source.read_text(), source, "exec"), module.__dict__)
    return module.quantize_embeddings


quantize = quantize_embeddings(sys.argv[1])
vectors = np.load(here.parent / "golden/embeddings.npy").astype(np.float32)
# Of half of the vectors, so that the others leave the ranges.
sample = vectors[: len(vectors) // 2]
ranges = np.vstack((sample.min(axis=0), sample.max(axis=0)))
np.save(here / "ranges.npy", ranges)
for precision in ["int8", "uint8", "binary", "ubinary"]:
    np.save(here / f"{precision}.npy", quantize(vectors, precision, ranges=ranges))
np.save(here / "float16.npy", vectors.astype(np.float16))
