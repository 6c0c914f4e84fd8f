"""LangChain: a vector store finds what the model finds."""

import asyncio
import importlib

import pytest
from support import PASSAGES, QUESTION

pytest.importorskip("langchain_core")


def test_a_vector_store_searches(model, package):
    from langchain_core.vectorstores import InMemoryVectorStore

    embeddings = importlib.import_module(f"{package.__name__}.langchain").MonomorphEmbeddings(threads=2)
    documents, query = model.encode_document(PASSAGES), model.encode_query(QUESTION)
    assert embeddings.embed_documents(PASSAGES) == documents.tolist()
    assert embeddings.embed_query(QUESTION) == query.tolist()
    assert asyncio.run(embeddings.aembed_documents(PASSAGES)) == documents.tolist()
    assert asyncio.run(embeddings.aembed_query(QUESTION)) == query.tolist()
    store = InMemoryVectorStore.from_texts(PASSAGES, embeddings)
    (found,) = store.similarity_search(QUESTION, k=1)
    assert found.page_content == PASSAGES[(documents @ query).argmax()]
