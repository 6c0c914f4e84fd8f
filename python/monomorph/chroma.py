"""Chroma: an embedding function that a collection finds again when it is opened. Needs chromadb."""

from typing import Any

from chromadb.api.types import Documents, Embeddings, Space
from chromadb.api.types import EmbeddingFunction as _Base
from chromadb.utils.embedding_functions import register_embedding_function

from . import _about
from ._model import Model


@register_embedding_function
class MonomorphEmbeddingFunction(_Base[Documents]):
    """Embeds documents and queries, with the model's prompts for either."""

    def __init__(self, truncate_dim: int | None = None) -> None:
        self._truncate_dim = truncate_dim
        self._model = Model(truncate_dim=truncate_dim)

    def __call__(self, input: Documents) -> Embeddings:
        """Vectors of texts that are searched."""
        return list(self._model.encode_document(list(input)))

    def embed_query(self, input: Documents) -> Embeddings:
        """Vectors of questions."""
        return list(self._model.encode_query(list(input)))

    @staticmethod
    def name() -> str:
        """The name under which a collection stores the function."""
        return "monomorph-" + _about.SLUG.replace("_", "-")

    def get_config(self) -> dict[str, Any]:
        """What a collection stores of it."""
        return {"truncate_dim": self._truncate_dim}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> "MonomorphEmbeddingFunction":
        """The function that a collection has stored."""
        return MonomorphEmbeddingFunction(truncate_dim=config.get("truncate_dim"))

    def default_space(self) -> Space:
        """How a collection compares vectors."""
        return "cosine"

    def supported_spaces(self) -> list[Space]:
        """The vectors have length one, so all are alike."""
        return ["cosine", "l2", "ip"]
