"""Spark: `embed` makes a function for `DataFrame.mapInArrow`. Needs pyspark and pyarrow.

>>> frame.mapInArrow(embed(), "id long, text string, embedding array<float>")
"""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from ._model import Model

# Spark gives task after task to the same Python workers.
_models: dict[str, Model] = {}


def embed(
    column: str = "text", output: str = "embedding", **options: Any
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function that adds a column of vectors, lists of float, to batches. Each Python worker opens the model once.

    Args:
        column: The texts.
        output: The name of the new column.
        options: Those of `Model`, such as `default_prompt_name="document"`. Spark gives a worker as many threads as
            `spark.task.cpus`.
    """

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model = _open(options)
        for batch in batches:
            vectors = pa.array(model.encode_arrow(batch[column]))
            # Spark knows no lists of a fixed size.
            yield batch.append_column(output, vectors.cast(pa.list_(pa.float32())))

    return run


def _open(options: dict[str, Any]) -> Model:
    key = repr(options)
    if key not in _models:
        _models[key] = Model(**options)
    return _models[key]
