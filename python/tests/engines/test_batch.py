"""`monomorph batch` over the same table: what all engines are compared with."""

import pyarrow as pa
import pyarrow.parquet as pq
from support import same


def test_vectors_are_those_of_batch(table, binary, tmp_path):
    whole = pq.read_table(table.folder).sort_by("id")
    pq.write_table(whole.filter(whole["text"].is_valid()), tmp_path / "in.parquet")
    binary("batch", "--input", tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["id"].to_pylist() == table.filled
    vectors = found["embedding"].combine_chunks().flatten().to_numpy()
    assert same(vectors.reshape(len(table.filled), -1), table.vectors)


def test_pyarrow(model, table, arrow):
    whole = pq.read_table(table.folder)
    found = whole.append_column("embedding", pa.array(model.encode_arrow(whole["text"])))
    assert found.schema.field("embedding").type == arrow
    table.check(found)


def test_a_reader_to_a_file(model, table, arrow, tmp_path):
    """Not to Parquet: pyarrow writes fixed-size lists with nulls there, but cannot read them."""
    import pyarrow.dataset as ds

    scanner = ds.dataset(table.folder).scanner(batch_size=300)
    reader = pa.RecordBatchReader.from_stream(model.encode_batches(scanner.to_reader()))
    with pa.ipc.new_file(tmp_path / "out.arrow", reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    with pa.ipc.open_file(tmp_path / "out.arrow") as file:
        assert file.schema.field("embedding").type == arrow
        table.check(file.read_all())
