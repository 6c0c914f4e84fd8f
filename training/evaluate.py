"""Compares models with the original, and on three small tasks: evaluate.py WORK AMENDMENTS ORIGINAL MODEL...

The models are GGUF files, which are computed in float32 with their dequantised weights. Prints a row of a Markdown
table for each.
"""
import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from model import embed, keep_compiled, read_gguf


def rows(path):
    return [json.loads(line) for line in open(path)]


work, amendments, original, *others = sys.argv[1:]
keep_compiled(work)
queries = json.loads((Path(__file__).parent / "queries.json").read_text())
# Packages that a query asks for, and 500 others among which to find them.
packages = rows(Path(work) / "packages.jsonl")
asked = {name for _, right in queries["debian"] for name in right}
packages = [p for p in packages if p["id"] in asked] + [p for p in packages if p["id"] not in asked][:500]
amendments = rows(amendments)
TEXTS = {
    "held": [row["text"] for row in rows(Path(work) / "held.jsonl")][::4][:1000],
    "amendments": [row["text"] for row in amendments],
    "amendments_asked": [query for query, _ in queries["amendments"]],
    "debian": [row["text"] for row in packages],
    "debian_asked": [query for query, _ in queries["debian"]],
    "triples": [text for triple in queries["triples"] for text in triple],
}


def search(vectors, asked, ids, right):
    """How many queries find a right document first, and the mean of the first right one's reciprocal rank."""
    ranks = []
    for scores, names in zip(asked @ vectors.T, right):
        order = [ids[i] for i in np.argsort(-scores, kind="stable")]
        places = [order.index(name) for name in names if name in order]
        if places:
            ranks.append(1 + min(places))
    return f"{ranks.count(1)} of {len(ranks)}, {np.mean([1 / rank for rank in ranks]):.3f}"


def tasks(z):
    first, same, other = (z["triples"][i::3] for i in range(3))
    nearer = ((first * same).sum(1) > (first * other).sum(1)).sum()
    right = lambda name: [[r] if isinstance(r, str) else r for _, r in queries[name]]
    return [
        search(z["amendments"], z["amendments_asked"], [row["id"] for row in amendments], right("amendments")),
        search(z["debian"], z["debian_asked"], [row["id"] for row in packages], right("debian")),
        f"{nearer} of {len(first)}",
    ]


def likeness(z, to):
    """Cosines to the original's vectors, the order of the cosines of pairs, and how many of ten neighbours are its."""
    cosines = np.concatenate([(z[name] * to[name]).sum(1) for name in TEXTS if name != "triples"])
    held = (z["held"] * to["held"]).sum(1)
    a, b = (x["held"] @ x["held"].T for x in (z, to))
    pairs = np.triu_indices(len(a), 1)
    some = np.random.default_rng(1).choice(len(pairs[0]), 200_000, replace=False)
    order = spearmanr(a[pairs][some], b[pairs][some])[0]
    np.fill_diagonal(a, -2)
    np.fill_diagonal(b, -2)
    near = lambda x: np.argpartition(-x, 10, axis=1)[:, :10]
    shared = np.mean([len(set(x) & set(y)) / 10 for x, y in zip(near(a), near(b))])
    return [
        f"{held.mean():.4f}", f"{cosines.mean():.4f}", f"{np.quantile(cosines, 0.05):.3f}", f"{order:.3f}",
        f"{shared:.3f}",
    ]


def row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


row([
    "model", "MB", "cosine, held-out", "cosine, all texts", "5th percentile", "Spearman of pairs", "of 10 neighbours",
    "amendments first, MRR", "Debian first, MRR", "triples",
])
row(["---"] * 10)
to = None
for path in [original, *others]:
    params, vocab = read_gguf(path)
    z = {name: embed(params, vocab, texts) for name, texts in TEXTS.items()}
    to = to or z
    size = f"{Path(path).stat().st_size / 1e6:.1f}"
    row([Path(path).stem, size, *likeness(z, to), *tasks(z)])
