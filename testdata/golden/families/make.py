#!/usr/bin/env python3
"""Makes the test data of a tokenizer: a vocabulary from a model's GGUF file, or texts with their reference ids.

    make.py NAME.vocabulary.tsv MODEL.gguf
    make.py NAME.tokens.jsonl REFERENCE.jsonl

The vocabulary keeps what tokenizing needs of the file: a line for each piece, followed by its kind where that is not 1
(normal). The reference has a line {"text": ..., "ids": [...]} for each text, with the ids of the model's original
tokenizer (Hugging Face `tokenizers`), special tokens included.
"""

import json
import struct
import sys
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


def vocabulary(file, model):
    keys = metadata(model)
    for piece, kind in zip(keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]):
        assert b"\t" not in piece and b"\n" not in piece
        file.write(piece + (b"" if kind == 1 else b"\t%d" % kind) + b"\n")


def tokens(file, reference):
    for line in open(reference):
        case = json.loads(line)
        ids = "".join(map(base64, case["ids"]))
        line = json.dumps([case["text"], ids], ensure_ascii=False, separators=(",", ":"))
        file.write(line.encode() + b"\n")


with open(Path(__file__).parent / sys.argv[1], "wb") as file:
    (vocabulary if sys.argv[1].endswith(".tsv") else tokens)(file, sys.argv[2])
