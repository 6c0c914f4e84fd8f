"""Ray Data: `Embed` for `Dataset.map_batches`. Needs ray[data].

>>> dataset.map_batches(Embed, batch_format="pyarrow", batch_size=2048, num_cpus=4, compute=ActorPoolStrategy(size=8))
"""

from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from ._model import Model


class Embed:
    """Adds a column of vectors, fixed-size lists of float32, to batches. Each actor opens the model once.

    Args:
        column: The texts.
        output: The name of the new column.
        options: Those of `Model`, such as `default_prompt_name="document"`. Ray gives an actor as many threads as CPUs.
    """

    def __init__(self, column: str = "text", output: str = "embedding", **options: Any) -> None:
        self._column = column
        self._output = output
        self._model = Model(**options)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The batch with its vectors."""
        vectors = pa.array(self._model.encode_arrow(batch[self._column]))
        return batch.append_column(self._output, vectors)
