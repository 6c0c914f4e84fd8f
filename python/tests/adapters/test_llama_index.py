"""LlamaIndex: an index finds what the model finds."""

import asyncio
import importlib
import pickle

import pytest
from support import PASSAGES, QUESTION

pytest.importorskip("llama_index.core")


def test_an_index_searches(model, package):
    from llama_index.core import Document, VectorStoreIndex

    adapter = importlib.import_module(f"{package.__name__}.llama_index")
    embed = adapter.MonomorphEmbedding(threads=2)
    documents, query = model.encode_document(PASSAGES), model.encode_query(QUESTION)
    assert embed.get_text_embedding_batch(PASSAGES) == documents.tolist()
    assert embed.get_text_embedding(PASSAGES[0]) == documents[0].tolist()
    assert embed.get_query_embedding(QUESTION) == query.tolist()
    assert asyncio.run(embed.aget_query_embedding(QUESTION)) == query.tolist()
    assert asyncio.run(embed.aget_text_embedding_batch(PASSAGES)) == documents.tolist()
    assert pickle.loads(pickle.dumps(embed)).get_query_embedding(QUESTION) == query.tolist()
    assert embed.to_dict()["model_name"] == package.model_name
    index = VectorStoreIndex.from_documents([Document(text=text) for text in PASSAGES], embed_model=embed)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve(QUESTION)
    assert found.text == PASSAGES[(documents @ query).argmax()]
