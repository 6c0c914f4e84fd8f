"""LanceDB: an embedding function in its registry, as `monomorph-` and the model's name. Needs lancedb.

>>> from lancedb.embeddings import get_registry
>>> import monomorph_x.lancedb
>>> function = get_registry().get(monomorph_x.lancedb.NAME).create()
"""

from typing import Any

from lancedb.embeddings import TextEmbeddingFunction, register
from numpy.typing import NDArray
from pydantic import PrivateAttr

from . import _about, _native
from ._model import Model

NAME = "monomorph-" + _about.SLUG.replace("_", "-")


@register(NAME)  # type: ignore[no-untyped-call]
class MonomorphEmbeddingFunction(TextEmbeddingFunction):
    """Embeds the source columns of a table and its queries, with the model's prompts for documents and queries.

    A table's metadata keeps `truncate_dim`; the model is opened when it is first needed.
    """

    truncate_dim: int | None = None

    _model: Model | None = PrivateAttr(default=None)

    def ndims(self) -> int:
        """Values of a vector."""
        return self.truncate_dim or _native.DIMENSIONS

    def compute_query_embeddings(self, query: str, *args: Any, **kwargs: Any) -> list[Any]:
        """The vector of a question."""
        return [self._open().encode_query(query)]

    def generate_embeddings(self, texts: list[str] | NDArray[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """Vectors of texts that are searched."""
        return list(self._open().encode_document(list(texts)))

    def _open(self) -> Model:
        if self._model is None:
            self._model = Model(truncate_dim=self.truncate_dim)
        return self._model
