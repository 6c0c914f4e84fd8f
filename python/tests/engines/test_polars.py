"""Polars: a column of a lazy frame, streamed from Parquet to Parquet."""

import pytest

pl = pytest.importorskip("polars")


def test_a_lazy_frame(model, table, width, tmp_path):
    embed = pl.col("text").map_batches(
        lambda texts: pl.Series(model.encode_arrow(texts)),
        return_dtype=pl.Array(pl.Float32, width),
        is_elementwise=True,
    )
    pl.scan_parquet(table.pattern).with_columns(embedding=embed).sink_parquet(tmp_path / "out.parquet")
    assert pl.read_parquet_schema(tmp_path / "out.parquet")["embedding"] == pl.Array(pl.Float32, width)
    table.check(pl.read_parquet(tmp_path / "out.parquet").to_arrow())


def test_a_frame(model, table):
    frame = pl.read_parquet(table.pattern)
    table.check(pl.DataFrame(model.encode_batches(frame)).to_arrow())
