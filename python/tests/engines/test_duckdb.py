"""DuckDB: a function in SQL, and a query's result as a stream."""

import pyarrow as pa
import pytest

duckdb = pytest.importorskip("duckdb")


def test_a_function_in_sql(model, table, width, tmp_path):
    with duckdb.connect() as connection:
        connection.create_function(
            "embed", lambda texts: pa.array(model.encode_arrow(texts)), ["VARCHAR"], f"FLOAT[{width}]", type="arrow"
        )
        query = f"SELECT id, text, embed(text) AS embedding FROM '{table.pattern}'"
        table.check(connection.sql(query).to_arrow_table())
        connection.execute(f"COPY ({query}) TO '{tmp_path}/out.parquet'")
        # The fixed size is lost in DuckDB's Parquet: cast on reading.
        again = f"SELECT id, text, embedding::FLOAT[{width}] AS embedding FROM '{tmp_path}/out.parquet'"
        table.check(connection.sql(again).to_arrow_table())


def test_a_result_as_a_stream(model, table):
    with duckdb.connect() as connection:
        reader = connection.sql(f"SELECT * FROM '{table.pattern}'").to_arrow_reader(1000)
        embedded = pa.RecordBatchReader.from_stream(model.encode_batches(reader))
        # A connection has one open result at a time.
        with duckdb.connect() as other:
            table.check(other.sql("SELECT * FROM embedded").to_arrow_table())
