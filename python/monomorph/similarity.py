"""How alike vectors are: the functions that sentence-transformers has under the same names, in NumPy."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Name = Literal["cosine", "dot", "euclidean", "manhattan"]
Function = Callable[[ArrayLike, ArrayLike], NDArray[np.float32]]


def _rows(vectors: ArrayLike) -> NDArray[np.float32]:
    """One vector is a row."""
    return np.atleast_2d(np.asarray(vectors, dtype=np.float32))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = rows / np.maximum(norms, np.float32(1e-12))
    return unit


def cosine(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """The cosine of each of `a` with each of `b`: (n, m)."""
    return _unit(_rows(a)) @ _unit(_rows(b)).T


def dot(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """The product of each of `a` with each of `b`: (n, m)."""
    return _rows(a) @ _rows(b).T


def euclidean(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """The negative distance of each of `a` from each of `b`: (n, m)."""
    b = _rows(b)
    return -np.stack([np.linalg.norm(b - row, axis=1) for row in _rows(a)])


def manhattan(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """The negative sum of differences of each of `a` from each of `b`: (n, m)."""
    b = _rows(b)
    return -np.stack([np.abs(b - row).sum(axis=1) for row in _rows(a)])


FUNCTIONS: dict[str, Function] = {
    "cosine": cosine,
    "dot": dot,
    "euclidean": euclidean,
    "manhattan": manhattan,
}


def pairwise(name: Name, a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """What the function of this name says of each of `a` with the one of `b` in its place: (n,)."""
    a, b = _rows(a), _rows(b)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} vectors cannot be paired with {len(b)}")
    result: Any
    if name == "cosine":
        result = (_unit(a) * _unit(b)).sum(axis=1)
    elif name == "dot":
        result = (a * b).sum(axis=1)
    elif name == "euclidean":
        result = -np.linalg.norm(a - b, axis=1)
    else:
        result = -np.abs(a - b).sum(axis=1)
    return np.asarray(result, dtype=np.float32)
