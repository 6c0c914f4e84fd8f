#!/usr/bin/env python3
"""Writes decode.txt: what gguf-py makes of random blocks of every block format.

    pip install gguf numpy xxhash
    python testdata/quant/make.py

The test in crates/quant/src/decode_tests.rs makes the same blocks and demands the same weights, bit for bit. Of a
format's 1,000 blocks the file has a line `NAME SCALE_BYTES HASH` and the weights of the first four, a line each, as the
shortest decimals that read back as the same float32. HASH is XXH3 (64 bits) of all weights as little-endian float32.

The blocks' bytes are SplitMix64's words in little-endian order, seeded with the type's number in GGUF; a last word that
is not needed in full is cut. Then bit 6 of each block's SCALE_BYTES is cleared: of a float16 scale, that is the highest
bit of the exponent, so the scale is finite and below 2; an E8M0 scale, which is a single byte, is 2^64 at most.
"""

import pathlib

import gguf
import numpy as np
import xxhash

BLOCKS = 1000
SHOWN = 4

# What follows Q8_0 in FORMATS of crates/quant/src/lib.rs, in the same order, each with its SCALE_BYTES.
FORMATS = {
    "Q4_0": [1],
    "Q4_1": [1, 3],
    "Q5_0": [1],
    "Q5_1": [1, 3],
    "IQ4_NL": [1],
    "MXFP4": [0],
    "Q2_K": [81, 83],
    "Q3_K": [109],
    "Q4_K": [1, 3],
    "Q5_K": [1, 3],
    "Q6_K": [209],
    "IQ4_XS": [1],
    "IQ3_XXS": [1],
    "IQ3_S": [1],
    "IQ2_XXS": [1],
    "IQ2_XS": [1],
    "IQ2_S": [1],
    "IQ1_S": [1],
    # The scale's four nibbles are the highest of four words; its exponent begins in the last.
    "IQ1_M": [55],
    "TQ1_0": [53],
    "TQ2_0": [65],
}


def split_mix_64(seed, count):
    """The first `count` numbers of the generator."""
    gamma = np.uint64(0x9E3779B97F4A7C15)
    z = np.uint64(seed) + gamma * np.arange(1, count + 1, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def random_blocks(kind, scale_bytes):
    """BLOCKS rows of one block each."""
    size = gguf.GGML_QUANT_SIZES[kind][1]
    words = split_mix_64(int(kind), -(-BLOCKS * size // 8))
    blocks = words.astype("<u8").view(np.uint8)[: BLOCKS * size].reshape(BLOCKS, size)
    blocks[:, scale_bytes] &= 0xBF
    return blocks


def main():
    lines = ["# Made by make.py. Do not edit."]
    for name, scale_bytes in FORMATS.items():
        kind = gguf.GGMLQuantizationType[name]
        weights = gguf.quants.dequantize(random_blocks(kind, scale_bytes), kind)
        assert weights.dtype == np.float32 and np.isfinite(weights).all(), name
        digest = xxhash.xxh3_64_hexdigest(weights.astype("<f4").tobytes())
        lines.append(f"{name} {','.join(map(str, scale_bytes))} {digest}")
        lines += [" ".join(map(str, block)) for block in weights[:SHOWN]]
    path = pathlib.Path(__file__).with_name("decode.txt")
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
