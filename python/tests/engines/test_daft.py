"""Daft: a class whose method takes batches; the model is opened once."""

import importlib

import pyarrow as pa
import pytest
from support import MODULE

daft = pytest.importorskip("daft")


def test_a_class(table, width, tmp_path):
    @daft.cls(max_concurrency=1)
    class Embed:
        def __init__(self):
            self.model = importlib.import_module(MODULE).Model(threads=2)

        @daft.method.batch(return_dtype=daft.DataType.embedding(daft.DataType.float32(), width))
        def embed(self, text: daft.Series):
            return daft.Series.from_arrow(pa.array(self.model.encode_arrow(text.to_arrow())))

    frame = daft.read_parquet(table.pattern)
    table.check(frame.with_column("embedding", Embed().embed(frame["text"])).to_arrow())
