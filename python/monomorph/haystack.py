"""Haystack: a component for queries and one for documents. Needs haystack-ai."""

from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict

from ._model import Model


class _Component:
    """What both share: the options of the model, which a pipeline in YAML keeps, and the model, opened when needed."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._model: Model | None = None

    def warm_up(self) -> None:
        """Opens the model."""
        if self._model is None:
            self._model = Model(**self._options)

    def _open(self) -> Model:
        self.warm_up()
        assert self._model is not None
        return self._model

    def to_dict(self) -> dict[str, Any]:
        """The component for a pipeline's file."""
        return default_to_dict(self, **self._options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Any:
        """The component of a pipeline's file."""
        return default_from_dict(cls, data)


@component
class MonomorphTextEmbedder(_Component):
    """Embeds a question, with the model's prompt for queries. `options` are those of `Model`."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, Any]:
        """The vector of a question."""
        return {"embedding": self._open().encode_query(text).tolist()}


@component
class MonomorphDocumentEmbedder(_Component):
    """Embeds the content of documents, with the model's prompt for documents. `options` are those of `Model`."""

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, Any]:
        """The documents with their vectors."""
        texts = [document.content or "" for document in documents]
        vectors = self._open().encode_document(texts).tolist()
        return {"documents": [replace(document, embedding=vector) for document, vector in zip(documents, vectors)]}
