"""LanceDB: a table embeds what is added and asked, also when it is opened again."""

import importlib

import numpy as np
import pytest
from support import PASSAGES, QUESTION, same

pytest.importorskip("lancedb")


def test_a_table_searches(model, package, tmp_path):
    import lancedb
    from lancedb.embeddings import get_registry
    from lancedb.pydantic import LanceModel, Vector

    adapter = importlib.import_module(f"{package.__name__}.lancedb")
    function = get_registry().get(adapter.NAME).create()

    class Passage(LanceModel):
        text: str = function.SourceField()
        vector: Vector(function.ndims()) = function.VectorField()

    table = lancedb.connect(tmp_path).create_table("passages", schema=Passage)
    table.add([{"text": text} for text in PASSAGES])
    documents, query = model.encode_document(PASSAGES), model.encode_query(QUESTION)
    stored = np.array(table.to_arrow()["vector"].to_pylist(), np.float32)
    assert same(stored, documents)
    for opened in [table, lancedb.connect(tmp_path).open_table("passages")]:
        (found,) = opened.search(QUESTION).limit(1).to_list()
        assert found["text"] == PASSAGES[(documents @ query).argmax()]
