"""One table for all engines, and the vectors that they must give. What is not installed is skipped by name."""

import random
from pathlib import Path

import pytest
from support import same

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS, FILES = 4000, 8
NULLS, EMPTY, LONG = (17, 2500), 18, 3999
WORDS = "the a of mars venus red planet river stone winter summer light old new under over between and not".split()


class Table:
    """A folder of Parquet files with the columns `id` and `text`: two nulls, an empty text and one that is too long."""

    def __init__(self, folder, model):
        choose = random.Random(7)
        self.texts = [" ".join(choose.choices(WORDS, k=choose.randint(1, 30))) for _ in range(ROWS)]
        self.texts[EMPTY] = ""
        self.texts[LONG] = "long words " * model.max_seq_length
        for row in NULLS:
            self.texts[row] = None
        self.folder = folder
        size = ROWS // FILES
        for i in range(FILES):
            rows = range(i * size, (i + 1) * size)
            part = pa.table({"id": list(rows), "text": [self.texts[row] for row in rows]})
            # Java's Snappy is missing on some machines.
            pq.write_table(part, folder / f"{i}.parquet", compression="none")
        self.pattern = str(folder / "*.parquet")
        self.filled = [i for i, text in enumerate(self.texts) if text is not None]
        self.vectors = model.encode([self.texts[i] for i in self.filled])

    def check(self, found):
        """Whether a table has all rows with the model's bits, whatever the order of its rows."""
        ids, texts = found["id"].to_pylist(), found["text"].to_pylist()
        order = sorted(range(len(ids)), key=ids.__getitem__)
        assert [ids[row] for row in order] == list(range(ROWS))
        assert [texts[row] for row in order] == self.texts
        column = found["embedding"].combine_chunks()
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        column = column.take(pa.array(order))
        assert [i for i, valid in enumerate(column.is_valid().to_pylist()) if valid] == self.filled
        vectors = column.drop_null().flatten().to_numpy()
        assert same(vectors.reshape(len(self.filled), -1), self.vectors)


@pytest.fixture(scope="session")
def table(tmp_path_factory, model):
    return Table(tmp_path_factory.mktemp("table"), model)


@pytest.fixture
def arrow(model):
    """The type of a column of vectors."""
    return pa.list_(pa.field("item", pa.float32(), nullable=False), model.get_embedding_dimension())


@pytest.fixture
def width(model):
    return model.get_embedding_dimension()


class Texts:
    """A folder `texts` for the examples of python/README.md, in the folder where they run."""

    def __init__(self, model):
        texts = [f"{' '.join(WORDS[i % 7 :])} {i}" for i in range(100)]
        self.rows = {"id": list(range(100)), "text": texts}
        self.vectors = model.encode_document(texts)
        Path("texts").mkdir()
        for i in range(2):
            half = pa.table(self.rows)[i * 50 : (i + 1) * 50]
            pq.write_table(half, f"texts/{i}.parquet", compression="none")

    def check(self):
        """Whether the example wrote the texts and their vectors into the folder `vectors`."""
        found = pq.read_table("vectors").sort_by("id")
        assert found.column_names[:3] == ["id", "text", "embedding"]
        assert {name: found[name].to_pylist() for name in self.rows} == self.rows
        vectors = found["embedding"].combine_chunks().flatten().to_numpy()
        assert same(vectors.reshape(self.vectors.shape), self.vectors)


@pytest.fixture
def texts(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Texts(model)


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """The folder for what workers note. Those that start from now on can import workers.py, and know no threads or
    instruction set but the engine's.
    """
    for name in ["OMP_NUM_THREADS", "MONOMORPH_THREADS", "MONOMORPH_ISA"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder
