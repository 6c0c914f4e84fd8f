"""Chroma: a collection embeds documents and queries with their own prompts, also when it is opened again."""

import importlib

import numpy as np
import pytest
from support import PASSAGES, QUESTION, same

pytest.importorskip("chromadb")


def test_a_collection_searches(model, package, tmp_path):
    import chromadb

    adapter = importlib.import_module(f"{package.__name__}.chroma")
    function = adapter.MonomorphEmbeddingFunction()
    documents, query = model.encode_document(PASSAGES), model.encode_query(QUESTION)
    assert same(np.stack(function.embed_query([QUESTION])), query[None])
    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(tmp_path, settings)
    collection = client.create_collection("passages", embedding_function=function)
    collection.add(ids=["a", "b", "c"], documents=PASSAGES)
    stored = collection.get(ids=["a", "b", "c"], include=["embeddings"])["embeddings"]
    assert same(np.asarray(stored, np.float32), documents)
    for opened in [collection, client.get_collection("passages")]:
        found = opened.query(query_texts=[QUESTION], n_results=1)
        assert found["documents"] == [[PASSAGES[(documents @ query).argmax()]]]
        np.testing.assert_allclose(found["distances"][0][0], 1 - (documents @ query).max(), atol=1e-5)
