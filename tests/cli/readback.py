"""Reads what batch wrote with NumPy, pyarrow and DuckDB, and compares it with raw float32 beside it.

Arguments: the raw file, the npy file, the Parquet file, the dimensions. Run by tests/cli/readback.rs.
"""

import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

raw, npy, parquet, dimensions = sys.argv[1:4] + [int(sys.argv[4])]
vectors = np.fromfile(raw, "<f4").reshape(-1, dimensions)
assert len(vectors) == 5000, vectors.shape

array = np.load(npy)
assert array.dtype == np.float32 and array.shape == vectors.shape
assert (array == vectors).all()

table = pq.read_table(parquet)
kind = table.schema.field("embedding").type
assert pa.types.is_fixed_size_list(kind) and kind.list_size == dimensions, kind
assert table.schema.names == ["id", "text", "embedding"]
assert table["id"].to_pylist() == list(range(len(vectors)))
values = table["embedding"].combine_chunks().flatten().to_numpy()
assert (values.reshape(vectors.shape) == vectors).all()
metadata = pq.read_metadata(parquet).metadata
assert metadata[b"monomorph.dimensions"] == str(dimensions).encode(), metadata

rows = duckdb.sql(f"select id, embedding from '{parquet}' order by id").fetchall()
assert [row[0] for row in rows] == list(range(len(vectors)))
assert (np.array([row[1] for row in rows], np.float32) == vectors).all()
sums = duckdb.sql(f"select count(*), count(distinct text) from '{parquet}'").fetchall()
assert sums == [(5000, 5000)], sums
print("NumPy", np.__version__, "pyarrow", pa.__version__, "DuckDB", duckdb.__version__)
