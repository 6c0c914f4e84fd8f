"""Columns and tables by Arrow's capsules."""

import numpy as np
import pytest
from support import TEXTS, in_child, same

pa = pytest.importorskip("pyarrow")


def values(array):
    """The vectors of an array without nulls."""
    array = pa.array(array)
    return array.flatten().to_numpy().reshape(len(array), array.type.list_size)


def test_every_kind_of_string_column(model):
    expected = model.encode(TEXTS)
    columns = [
        pa.array(TEXTS, pa.string()),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array(range(6), pa.int8()), pa.array(TEXTS, pa.large_string())),
        pa.chunked_array([TEXTS[:2], [], TEXTS[2:]]),
        pa.array(["before", *TEXTS, "after"])[1:-1],
        pa.table({"text": TEXTS})["text"],
    ]
    for column in columns:
        found = model.encode_arrow(column)
        assert same(values(found), expected), column.type
        assert len(found) == len(TEXTS) and found.null_count == 0
    assert len(model.encode_arrow(pa.array([], pa.string()))) == 0


def test_the_type_and_what_it_says(model, package):
    d = model.get_embedding_dimension()
    array = pa.array(model.encode_arrow(pa.array(TEXTS), prompt_name="query", truncate_dim=16))
    assert array.type == pa.list_(pa.field("item", pa.float32(), nullable=False), 16)
    assert same(values(array), model.encode_query(TEXTS, truncate_dim=16))
    field = pa.field(model.encode_arrow(pa.array(TEXTS), prompt="a: "))
    said = {key.decode(): value.decode() for key, value in field.metadata.items()}
    assert said["monomorph.model"] == package.model_name
    assert said["monomorph.model_xxh3_128"] == package.fingerprint
    assert said["monomorph.prefix"] == "a: " and said["monomorph.dimensions"] == str(d)


def test_nulls_stay_null(model):
    for column in [
        pa.array([None, "a", None, None, "b", ""]),
        pa.array([None, "a", None, None, "b", ""]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, None, 2, 3]), pa.array(["a", None, "b", ""])),
        pa.chunked_array([[None, "a", None], [None, "b", ""]]),
    ]:
        found = model.encode_arrow(column)
        assert found.null_count == 3
        array = pa.array(found)
        assert array.is_valid().to_pylist() == [False, True, False, False, True, True]
        vectors = array.values.to_numpy().reshape(6, -1)
        assert same(vectors[[1, 4, 5]], model.encode(["a", "b", ""]))
        assert not vectors[[0, 2, 3]].any()
    assert pa.array(model.encode_arrow(pa.array([None, None], pa.string()))).null_count == 2


def test_what_is_no_column_of_strings(model, long_text, package):
    for column, message in [
        (["a"], "list is no column of Arrow's"),
        ("a", "str is no column"),
        (pa.array([1]), "the column is of Arrow's type Int64, not of strings"),
        (pa.array([b"a"]), "type Binary, not of strings"),
        (pa.array([1, 2]).dictionary_encode(), "type Int64, not of strings"),
    ]:
        with pytest.raises(TypeError, match=message):
            model.encode_arrow(column)
    with pytest.raises(ValueError, match="^row 3: .*more than the context"):
        model.encode_arrow(pa.array([None, "a", None, long_text]), truncate="none")
    with pytest.warns(package.TruncationWarning, match="1 text was"):
        model.encode_arrow(pa.array(["a", long_text]))
    with pytest.raises(TypeError, match="precision"):
        model.encode_arrow(pa.array(["a"]), precision="int8")


def test_tables_of_any_length(model):
    texts = [f"text {i}" for i in range(9000)]
    expected = model.encode(texts)
    table = pa.table({"id": range(9000), "body": texts}, metadata={"from": "here"})
    for batches in [table, table.to_reader(), table.to_reader(max_chunksize=7), table.to_batches()[0]]:
        stream = model.encode_batches(batches, "body", "vector")
        reader = pa.RecordBatchReader.from_stream(stream)
        assert reader.schema.names == ["id", "body", "vector"]
        assert reader.schema.metadata == {b"from": b"here"}
        found = reader.read_all()
        assert found["id"].to_pylist() == list(range(9000)) and found["body"].equals(table["body"])
        assert same(values(found["vector"].combine_chunks()), expected)
    with pytest.raises(ValueError, match="read already"):
        pa.table(stream)


def test_tables_are_read_on_demand(model):
    read = []

    def batches():
        for i in range(5):
            read.append(i)
            yield pa.record_batch({"text": [f"text {i}"] * 3})

    schema = pa.schema({"text": pa.string()})
    reader = pa.RecordBatchReader.from_stream(
        model.encode_batches(pa.RecordBatchReader.from_batches(schema, batches()))
    )
    assert read == []
    for i in range(3):
        assert reader.read_next_batch().num_rows == 3
        assert read == list(range(i + 1))
    reader.close()


def test_large_batches_are_cut(model):
    table = pa.table({"text": ["a"] * 10_000})
    sizes = [batch.num_rows for batch in pa.RecordBatchReader.from_stream(model.encode_batches(table))]
    assert sizes == [4096, 4096, 1808]


def test_errors_of_tables(model, long_text):
    table = pa.table({"id": range(5000), "text": ["a", None] * 2500})
    for arguments, error, message in [
        ((["a"],), TypeError, "list is no table of Arrow's"),
        ((table, "body"), ValueError, 'there is no column "body"; there are id, text'),
        ((table, "text", "id"), ValueError, 'has a column "id" already'),
        ((table, "id"), TypeError, 'the column "id" is of Arrow\'s type Int64'),
    ]:
        with pytest.raises(error, match=message):
            model.encode_batches(*arguments)
    table = pa.table({"text": ["a", None] * 2500 + [None, long_text]})
    with pytest.raises(pa.ArrowException, match="row 5001: .*more than the context"):
        pa.table(model.encode_batches(table, truncate="none"))
    stream = model.encode_batches(table)
    assert stream.cut == 0
    assert pa.table(stream).num_rows == 5002 and stream.cut == 1


def test_a_requested_type_is_given(model):
    """As Arrow's capsules promise: one that cannot be had is ignored."""
    d = model.get_embedding_dimension()
    array = pa.array(model.encode_arrow(pa.array(TEXTS)), type=pa.list_(pa.float32(), d))
    assert array.type == pa.list_(pa.float32(), d)


def test_polars(model):
    pl = pytest.importorskip("polars")
    expected = model.encode(TEXTS)
    for series in [pl.Series(TEXTS), pl.Series(TEXTS, dtype=pl.Categorical)]:
        found = pl.Series(model.encode_arrow(series))
        assert found.dtype == pl.Array(pl.Float32, len(expected[0]))
        assert same(found.to_numpy(), expected)
    frame = pl.DataFrame({"text": TEXTS})
    found = pl.DataFrame(model.encode_batches(frame))
    assert same(found["embedding"].to_numpy(), expected)


def test_a_stream_does_not_outlive_a_fork(model):
    stream = model.encode_batches(pa.table({"text": TEXTS}))

    def child():
        with pytest.raises(pa.ArrowException, match="forked"):
            pa.table(stream)

    in_child(child)
    assert np.array_equal(values(pa.table(stream)["embedding"].combine_chunks()), model.encode(TEXTS))
