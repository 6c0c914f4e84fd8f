"""A student to start from, the original with fewer pieces: prune.py WORK ORIGINAL --pieces 24576

Makes WORK/student.npz, and WORK/taught.jsonl: of the corpus, the texts that lose pieces, and as many of the others, so
that half of what the student learns is to do without the pieces.
"""
import argparse
import collections
import json
import random
from pathlib import Path

from model import CONTROL, read_original, save, wordpiece

parser = argparse.ArgumentParser()
parser.add_argument("work", type=Path)
parser.add_argument("original")
parser.add_argument("--pieces", type=int, required=True)
args = parser.parse_args()
params, vocab = read_original(args.original)

corpus = [json.loads(line) for line in open(args.work / "corpus.jsonl")]
ids = [encoding.ids for encoding in wordpiece(vocab).encode_batch([row["text"] for row in corpus])]
count = collections.Counter(i for text in ids for i in text)


def letters(piece):
    return piece.removeprefix("##")


def is_latin(piece):
    return all(c.isascii() or 0xC0 <= ord(c) < 0x250 for c in letters(piece))


special = [i for i, piece in enumerate(vocab) if piece in CONTROL]
usable = [i for i, piece in enumerate(vocab) if piece not in CONTROL and not piece.startswith("[unused")]
# Single characters stay: those of Latin wherever they stand in a word, of others only marks.
single = [
    i for i in usable
    if len(letters(vocab[i])) == 1 and (is_latin(vocab[i]) or not vocab[i].startswith("##") and not vocab[i].isalpha())
]
# Two orders, turn by turn: how common a piece is in the corpus, and in what BERT's vocabulary was made from, whose
# order is that of the vocabulary.
keep = dict.fromkeys(special + single)
rest = [i for i in usable if i not in keep and is_latin(vocab[i])]
for pair in zip(sorted(rest, key=lambda i: (-count[i], i)), rest):
    for i in pair:
        if len(keep) < args.pieces:
            keep[i] = None
keep = sorted(keep)
params["emb"] = params["emb"][keep]
save(args.work / "student.npz", params, [vocab[i] for i in keep], step=0)

kept = set(keep)
lose = [row for row, text in zip(corpus, ids) if not kept.issuperset(text)]
keep_all = [row for row, text in zip(corpus, ids) if kept.issuperset(text)]
taught = lose + keep_all[:len(lose)]
random.Random(1).shuffle(taught)
with open(args.work / "taught.jsonl", "w") as file:
    for row in taught:
        file.write(json.dumps(row) + "\n")
covered = sum(count[i] for i in kept) / count.total()
print(f"{len(keep)} pieces, {covered:.2%} of the corpus's tokens; {len(lose)} of {len(corpus)} texts lose some")
