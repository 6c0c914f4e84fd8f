"""Arguments of a call: what they must be, and those that other libraries take."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _native

Ranges = ArrayLike | os.PathLike[str]

# Arguments of sentence-transformers that mean nothing here, and the values that ask for nothing.
_NOTHING: dict[str, tuple[object, ...]] = {
    "device": (None, "cpu"),
    "convert_to_tensor": (None, False),
    "pool": (None,),
    "chunk_size": (None,),
}


def sequence(texts: Iterable[str]) -> Sequence[str]:
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"give a list of texts, not one {type(texts).__name__}")
    if hasattr(texts, "__len__") and hasattr(texts, "__iter__"):
        return texts  # type: ignore[return-value]
    try:
        return list(texts)
    except TypeError:
        raise TypeError(f"give a str or a list of them, not {type(texts).__name__}") from None


def check_dimensions(dimensions: int | None) -> None:
    if dimensions is not None and not 0 < dimensions <= _native.DIMENSIONS:
        raise ValueError(f"truncate_dim is {dimensions}, but this model has 1 to {_native.DIMENSIONS} dimensions")


def check_unused(batch_size: int | None, output_value: object, convert_to_numpy: object, ignored: dict[str, Any]) -> None:
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    if output_value != "sentence_embedding":
        raise TypeError(f"output_value {output_value!r} is not supported; only 'sentence_embedding' is")
    if not convert_to_numpy:
        raise TypeError("convert_to_numpy must be True: vectors come as a NumPy array")
    for name, value in ignored.items():
        if name not in _NOTHING:
            raise TypeError(f"encode() got an unexpected keyword argument {name!r}")
        if not any(value is nothing or value == nothing for nothing in _NOTHING[name]):
            raise TypeError(f"{name}={value!r} is not supported: the model runs on the CPU and returns NumPy arrays")


def read_ranges(ranges: Ranges | None) -> NDArray[np.float32] | None:
    if ranges is None:
        return None
    values = np.load(ranges) if isinstance(ranges, (str, os.PathLike)) else ranges
    return np.atleast_2d(np.ascontiguousarray(values, dtype=np.float32))
