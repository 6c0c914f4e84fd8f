"""LlamaIndex: `MonomorphEmbedding` is a `BaseEmbedding`. Needs llama-index-core."""

import asyncio
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from . import _native
from ._model import Model

# The largest that LlamaIndex allows. Its default of 10 would make many small requests.
_BATCH = 2048


class MonomorphEmbedding(BaseEmbedding):
    """The model for indexes and retrievers, with its prompts for queries and documents.

    Args:
        model: An open model; by default one is opened with `options`, as `Model` takes them.
        embed_batch_size: Texts of a request.
        callback_manager: LlamaIndex's own.
    """

    _model: Model = PrivateAttr()

    def __init__(
        self,
        model: Model | None = None,
        *,
        embed_batch_size: int = _BATCH,
        callback_manager: Any = None,
        **options: Any,
    ) -> None:
        callbacks = {} if callback_manager is None else {"callback_manager": callback_manager}
        super().__init__(model_name=_native.NAME, embed_batch_size=embed_batch_size, **callbacks)
        self._model = model or Model(**options)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores settings."""
        return "MonomorphEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._model.encode_query(query).tolist()
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.encode_document(texts).tolist()
        return vectors

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)
