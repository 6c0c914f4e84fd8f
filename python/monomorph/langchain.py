"""LangChain: `MonomorphEmbeddings` is an `Embeddings`. Needs langchain-core."""

from typing import Any

from langchain_core.embeddings import Embeddings

from ._model import Model


class MonomorphEmbeddings(Embeddings):
    """The model for vector stores and retrievers, with its prompts for queries and documents.

    Args:
        model: An open model; by default one is opened with `options`, as `Model` takes them.
    """

    def __init__(self, model: Model | None = None, **options: Any) -> None:
        self.model = model or Model(**options)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of texts that are searched."""
        vectors: list[list[float]] = self.model.encode_document(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        vector: list[float] = self.model.encode_query(text).tolist()
        return vector
