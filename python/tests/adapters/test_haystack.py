"""Haystack: a pipeline finds what the model finds, also after a turn through YAML."""

import importlib

import pytest
from support import PASSAGES, QUESTION

pytest.importorskip("haystack")


def test_a_pipeline_searches(model, package):
    from haystack import Document, Pipeline
    from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    adapter = importlib.import_module(f"{package.__name__}.haystack")
    given = [Document(content=text) for text in PASSAGES]
    embedded = adapter.MonomorphDocumentEmbedder(threads=2).run(documents=given)["documents"]
    documents, query = model.encode_document(PASSAGES), model.encode_query(QUESTION)
    assert [document.embedding for document in embedded] == documents.tolist()
    assert all(document.embedding is None for document in given)
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(embedded)
    pipeline = Pipeline()
    pipeline.add_component("embedder", adapter.MonomorphTextEmbedder(threads=2))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=1))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    (found,) = pipeline.run({"embedder": {"text": QUESTION}})["retriever"]["documents"]
    assert found.content == PASSAGES[(documents @ query).argmax()]


def test_components_survive_yaml(model, package):
    from haystack import Pipeline

    adapter = importlib.import_module(f"{package.__name__}.haystack")
    pipeline = Pipeline()
    pipeline.add_component("embedder", adapter.MonomorphTextEmbedder(truncate_dim=16))
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=[adapter.__name__])
    found = again.run({"embedder": {"text": QUESTION}})["embedder"]["embedding"]
    assert found == model.encode_query(QUESTION, truncate_dim=16).tolist()
