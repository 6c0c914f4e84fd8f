"""Uses of a package that mypy --strict and pyright must accept; a test checks this file under the package's own name."""

from collections.abc import Iterator
from typing import Any

import monomorph_tiny
import numpy as np
from monomorph_tiny import Model, ModelMismatch, MonomorphError, TruncationWarning, similarity
from numpy.typing import NDArray


def search(question: str, texts: list[str]) -> str:
    with Model(threads=2, truncate_dim=64) as model:
        documents: NDArray[Any] = model.encode_document(texts)
        scores: NDArray[np.float32] = model.similarity(model.encode_query(question), documents)
        return texts[int(scores.argmax())]


def small(model: Model, texts: list[str]) -> NDArray[Any]:
    return model.encode(texts, precision="int8", ranges=model.ranges(texts), truncate="start")


def stream(model: Model) -> Iterator[NDArray[Any]]:
    yield from model.encode_iter((f"text {i}" for i in range(10)), window=4)


def tokens(model: Model) -> int:
    return int(model.count_tokens(["a"])[0]) + len(model.tokenize(["a"])[0]) + model.max_seq_length


name: str = monomorph_tiny.model_name + monomorph_tiny.license() + monomorph_tiny.__version__
errors: tuple[type[Exception], ...] = (MonomorphError, ModelMismatch, TruncationWarning)
alike: NDArray[np.float32] = similarity.cosine([1.0, 0.0], [[1.0, 0.0]])
