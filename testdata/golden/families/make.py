#!/usr/bin/env python3
"""Makes the test data of a tokenizer, from a model's GGUF file and texts with their reference ids.

    make.py NAME MODEL.gguf CASES=REFERENCE.jsonl...

A reference has a line {"text": ..., "ids": [...]} for each text, with the ids of the model's original tokenizer (Hugging
Face `tokenizers`), special tokens included. This writes

    CASES.tokens.jsonl     the texts with their ids
    NAME.vocabulary.tsv    a line for each piece: the piece, its kind, and its score where the file has scores
    NAME.charsmap          the map of characters, where the file has one
    NAME.merges.txt        a line for each merge, where the file has merges

A large vocabulary is cut to the pieces that occur in some text, in whatever form, or among the ids, and those that are
not normal; ids are then places in what is left. The lowest score stays too: that of unknown text depends on it. Of a
vocabulary with merges, those stay whose result occurs in some text.
"""

import json
import re
import struct
import sys
import unicodedata
from pathlib import Path

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def metadata(path):
    with open(path, "rb") as file:
        def number(form):
            return struct.unpack("<" + form, file.read(struct.calcsize(form)))[0]

        def text():
            return file.read(number("Q"))

        def value(kind):
            if kind == 8:
                return text()
            if kind == 9:
                of, length = number("I"), number("Q")
                return [value(of) for _ in range(length)]
            return number(SIZES[kind])

        assert file.read(4) == b"GGUF" and number("I") == 3
        _, keys = number("Q"), number("Q")
        return {text().decode(): value(number("I")) for _ in range(keys)}


def base64(number):
    return DIGITS[number >> 12] + DIGITS[number >> 6 & 63] + DIGITS[number & 63]


# The characters that stand for bytes in a vocabulary with merges (GPT-2's).
VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
OTHERS = [byte for byte in range(256) if byte not in VISIBLE]
ALPHABET = {**{byte: chr(byte) for byte in VISIBLE}, **{byte: chr(256 + i) for i, byte in enumerate(OTHERS)}}


def in_alphabet(text):
    return "".join(ALPHABET[byte] for byte in text.encode())


def kept_merges(keys, cases):
    """The merges that can happen in some text, and the ids of the pieces that are kept."""
    pieces, kinds = [piece.decode() for piece in keys["tokenizer.ggml.tokens"]], keys["tokenizer.ggml.token_type"]
    longest = max(len(piece) for piece, kind in zip(pieces, kinds) if kind == 1)
    forms = {in_alphabet(unicodedata.normalize("NFC", case["text"])) for case in cases}
    parts = {form[i:i + n] for form in forms for i in range(len(form)) for n in range(2, longest + 1)}
    merges = [merge for merge in map(bytes.decode, keys["tokenizer.ggml.merges"]) if merge.replace(" ", "") in parts]
    results = {merge.replace(" ", "") for merge in merges} | set(ALPHABET.values())
    ids = [id for id, (piece, kind) in enumerate(zip(pieces, kinds)) if kind in (2, 3, 4) or piece in results]
    assert {id for case in cases for id in case["ids"]} <= set(ids)
    return merges, ids


# Vocabularies of up to so many pieces are kept whole.
SMALL = 50_000


def kept(keys, cases):
    """The ids of the pieces that are kept."""
    texts = [case["text"] for case in cases]
    wanted = {id for case in cases for id in case["ids"]}
    pieces, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    if len(pieces) <= SMALL:
        return range(len(pieces))
    forms = set()
    for text in texts:
        for form in ["NFC", "NFD", "NFKC", "NFKD"]:
            for text in [text, unicodedata.normalize(form, text), "".join(unicodedata.normalize(form, c) for c in text)]:
                words = re.sub(r"[\s\u200b\u200d\ufeff\x00-\x1f\x7f-\x9f]+", "\u2581", text)
                forms |= {"\u2581" + words, "\u2581" + re.sub(r"[\x00-\x1f\x7f-\x9f]", "", text).replace(" ", "\u2581")}
    longest = max(len(piece.decode()) for piece in pieces)
    parts = {form[i:i + n] for form in forms for i in range(len(form)) for n in range(1, longest + 1)}
    special = keys.get("tokenizer.ggml.mask_token_id")
    scores = keys["tokenizer.ggml.scores"]
    normal = [i for i, kind in enumerate(kinds) if kind == 1]
    lowest = min(normal, key=scores.__getitem__)
    cut = [i for i in range(len(pieces))
           if i == lowest or i in wanted or kinds[i] in (2, 3, 4) or kinds[i] == 1 and pieces[i].decode() in parts]
    if special is not None and kinds[special] == 5:
        pieces[special], kinds[special], scores[special] = b"<mask>", 3, 0.0
    return cut


def vocabulary(file, keys, ids):
    pieces, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    scores = keys.get("tokenizer.ggml.scores")
    for id in ids:
        piece, kind = pieces[id], kinds[id]
        assert b"\t" not in piece and b"\n" not in piece
        columns = [piece] + ([b"%d" % kind] if kind != 1 or scores else [])
        if scores:
            # The shortest number that rounds to this float32.
            digits = next(f"{scores[id]:.{n}g}" for n in range(1, 10)
                          if struct.pack("f", float(f"{scores[id]:.{n}g}")) == struct.pack("f", scores[id]))
            columns.append(digits.encode())
        file.write(b"\t".join(columns) + b"\n")


def tokens(file, cases, ids):
    places = {id: place for place, id in enumerate(ids)}
    for case in cases:
        digits = "".join(base64(places[id]) for id in case["ids"])
        line = json.dumps([case["text"], digits], ensure_ascii=False, separators=(",", ":"))
        file.write(line.encode() + b"\n")


def create(name):
    return open(Path(__file__).parent / name, "wb")


name, model, *references = sys.argv[1:]
keys = metadata(model)
cases = {}
for reference in references:
    of, path = reference.split("=")
    cases[of] = [json.loads(line) for line in open(path)]
every = [case for of in cases.values() for case in of]
if "tokenizer.ggml.merges" in keys:
    merges, ids = kept_merges(keys, every)
    with create(f"{name}.merges.txt") as file:
        file.writelines(merge.encode() + b"\n" for merge in merges)
else:
    ids = kept(keys, every)
with create(f"{name}.vocabulary.tsv") as file:
    vocabulary(file, keys, ids)
for of, texts in cases.items():
    with create(f"{of}.tokens.jsonl") as file:
        tokens(file, texts, ids)
charsmap = keys.get("tokenizer.ggml.precompiled_charsmap")
if charsmap:
    with create(f"{name}.charsmap") as file:
        file.write(bytes(byte & 0xFF for byte in charsmap))
