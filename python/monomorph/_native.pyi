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

def quantize(
    rows: NDArray[np.float32], precision: str, ranges: NDArray[np.float32] | None
) -> NDArray[Any]: ...
def license() -> str: ...
