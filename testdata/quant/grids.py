#!/usr/bin/env python3
"""Writes crates/quant/src/grids/tables.rs: the IQ formats' grids, from gguf-py.

    pip install gguf numpy
    python testdata/quant/grids.py

gguf-py has each grid as hexadecimal text of packed bytes, the lowest bits first; two bytes are an entry.
"""

import pathlib

from gguf import quants

GRIDS = {
    "IQ2_XXS": (quants.IQ2_XXS, "eight codes of 2 bits."),
    "IQ2_XS": (quants.IQ2_XS, "eight codes of 2 bits."),
    "IQ2_S": (quants.IQ2_S, "eight codes of 2 bits."),
    "IQ3_XXS": (quants.IQ3_XXS, "four codes of 4 bits, of which 3 are used."),
    "IQ3_S": (quants.IQ3_S, "four codes of 4 bits, of which 3 are used."),
    "IQ1": (quants.IQ1_S, "eight codes of 2 bits, each a weight plus one. IQ1_S and IQ1_M share it."),
}


def main():
    lines = ["//! Made by testdata/quant/grids.py from gguf-py (MIT licence, the ggml authors). Do not edit."]
    for name, (source, doc) in GRIDS.items():
        packed = bytes.fromhex(source.grid_hex.decode())
        entries = [f"0x{packed[i + 1]:02x}{packed[i]:02x}" for i in range(0, len(packed), 2)]
        assert len(entries) == source.grid_shape[0], name
        # As rustfmt would have them.
        rows = [", ".join(entries[i : i + 12]) for i in range(0, len(entries), 12)]
        lines += ["", f"/// Entries of {doc}"]
        lines += [f"pub(crate) static {name}: [u16; {len(entries)}] = ["]
        lines += [f"    {row}," for row in rows] + ["];"]
    root = pathlib.Path(__file__).parents[2]
    (root / "crates/quant/src/grids/tables.rs").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
