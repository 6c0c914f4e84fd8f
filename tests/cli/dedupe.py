"""The pairs that `dedupe` prints for 5,000 vectors of 768, and NumPy's in float64: dedupe.py BINARY FOLDER."""

import subprocess
import sys
from pathlib import Path

import numpy

binary, folder = sys.argv[1:]
path = str(Path(folder) / "dedupe.npy")
random = numpy.random.default_rng(3)
vectors = random.standard_normal((5000, 768)).astype(numpy.float32)
for row in range(len(vectors)):
    if row % 3:
        noise = random.standard_normal(768).astype(numpy.float32)
        vectors[row] = vectors[row // 2] + random.random() * 0.6 * noise
numpy.save(path, vectors)

exact = vectors.astype(numpy.float64)
exact /= numpy.linalg.norm(exact, axis=1, keepdims=True)
cosines = numpy.triu(exact @ exact.T, 1)
for threshold in (0.95, 0.8, 0.5):
    expected = set(zip(*(rows.tolist() for rows in numpy.nonzero(cosines >= threshold))))
    options = ["--in", path, "--threshold", str(threshold), "--show", "pairs"]
    answer = subprocess.run([binary, "dedupe", *options], capture_output=True, text=True, check=True).stdout
    found = [tuple(map(int, line.split("\t")[1:3])) for line in answer.splitlines()]
    assert len(found) == len(set(found)) and set(found) == expected, (threshold, len(found), len(expected))
    assert len(found) > 1000, len(found)
    print(f"{threshold}: {len(found)} pairs")
