"""DataFusion: a function in SQL."""

import pyarrow as pa
import pytest

datafusion = pytest.importorskip("datafusion")


def test_a_function_in_sql(model, table, arrow):
    embed = datafusion.udf(
        lambda texts: pa.array(model.encode_arrow(texts)), [pa.string_view()], arrow, "immutable", name="embed"
    )
    context = datafusion.SessionContext()
    context.register_udf(embed)
    context.register_parquet("passages", str(table.folder))
    frame = context.sql("SELECT id, text, embed(text) AS embedding FROM passages")
    found = frame.to_arrow_table()
    assert found.schema.field("embedding").type == arrow
    table.check(found)
