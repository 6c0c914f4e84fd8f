from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NAME",
    "ARCHITECTURE",
    "DIMENSIONS",
    "MAX_SEQ_LENGTH",
    "IS_EMBEDDED",
    "FINGERPRINT",
    "PROMPTS",
    "MonomorphError",
    "Embedder",
    "ArrowArray",
    "ArrowStream",
    "encode_arrow",
    "encode_batches",
    "quantize",
    "license",
]

NAME: str
ARCHITECTURE: str
DIMENSIONS: int
MAX_SEQ_LENGTH: int
IS_EMBEDDED: bool
FINGERPRINT: str
# Names, prefix, and what goes around a title.
PROMPTS: list[tuple[list[str], str, tuple[str, str] | None]]

class MonomorphError(RuntimeError):
    """The model cannot be used, or could not embed a text."""

@final
class Embedder:
    def __new__(
        cls, path: str | PathLike[str] | None, threads: int | None, keep_panels: bool, isa: str | None
    ) -> Embedder: ...
    def encode(
        self, texts: Iterable[str], options: dict[str, Any], progress: Callable[[int], object] | None
    ) -> tuple[NDArray[np.float32], int]: ...
    def tokenize(self, texts: Iterable[str], options: dict[str, Any]) -> list[NDArray[np.uint32]]: ...
    def count_tokens(self, texts: Iterable[str], options: dict[str, Any]) -> NDArray[np.int64]: ...
    def verify(self) -> None: ...
    def info(self) -> dict[str, Any]: ...
    def close(self) -> None: ...

@final
class ArrowArray:
    def __len__(self) -> int: ...
    @property
    def null_count(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

@final
class ArrowStream:
    @property
    def cut(self) -> int: ...
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

def encode_arrow(
    embedder: Embedder, column: object, options: dict[str, Any], progress: Callable[[int], object] | None
) -> tuple[ArrowArray, int]: ...
def encode_batches(
    embedder: Embedder, batches: object, column: str, output: str, options: dict[str, Any]
) -> ArrowStream: ...
def quantize(
    rows: NDArray[np.float32], precision: str, ranges: NDArray[np.float32] | None
) -> NDArray[Any]: ...
def license() -> str: ...
