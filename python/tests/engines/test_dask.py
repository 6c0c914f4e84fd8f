"""Dask: a plugin that opens the model in each worker, and tasks that use it."""

import importlib
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import workers
from support import MODULE, run_engine_example

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@contextmanager
def start(folder):
    with (
        dask.config.set({"temporary-directory": str(folder)}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs="CRITICAL"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kill", [False, True], ids=["two workers", "one of them is killed"])
def test_workers(table, arrow, notes, tmp_path, kill):
    class Open(distributed.WorkerPlugin):
        def setup(self, worker):
            workers.watch(notes)
            worker.model = importlib.import_module(MODULE).Model()

    def embed(file):
        model = distributed.get_worker().model
        done = []
        for batch in pq.ParquetFile(file).iter_batches(100):
            workers.begin_batch(notes, len(batch), processes=2, kill=kill)
            done.append(batch.append_column("embedding", pa.array(model.encode_arrow(batch["text"]))))
        return pa.Table.from_batches(done)

    with start(tmp_path) as client:
        client.register_plugin(Open())
        found = pa.concat_tables(client.gather(client.map(embed, sorted(table.folder.iterdir()))))
    assert found.schema.field("embedding").type == arrow
    table.check(found)
    workers.check(notes, len(table.texts), threads=1, processes=2, killed=int(kill))


def test_the_example(texts, notes, tmp_path, width):
    with start(tmp_path) as client:
        own = run_engine_example("dask", **{"tcp://scheduler:8786": client.scheduler.address, "768": str(width)})
        own["client"].close()
    texts.check()
